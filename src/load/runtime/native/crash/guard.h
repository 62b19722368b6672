/*
 * Guards: what the code of guards, their records, and the decision about a crash share.
 */
#ifndef GUARD_H
#define GUARD_H
#include "crash.h"

/* The states of a cell. The guard's code has REFUSED as a number. */
enum { SURVIVED = 1, REFUSED = 2 };
/* A thread's state behind guards. The guard's code has the offset of `top` as a number; so has JavaScript. */
struct guard_cell {
  uint32_t state;
  /* The bytes of `text`. */
  uint32_t length;
  /* The frame pointer of the innermost guard. */
  uintptr_t top;
  /* The room for `text`, which describes a crash. */
  uint64_t room;
  char text[];
};
/* The record of an entry, of a guard or a callback. The code of both has the offsets of fields as numbers. */
struct guard_entry {
  uintptr_t guard, function;
  /* The bytes of arguments on the stack, a multiple of 16. */
  uint64_t stack_size;
  union {
    /* Leads to the word that says whether the module may be called. */
    uint32_t **quarantine;
    /* Of a callback: the thread that JavaScript runs on, as smf_this_thread has it. */
    uintptr_t thread;
  };
  /* Null for a callback. */
  struct guard_cell *cell;
  union {
    /* Of the entry's own: what `quarantine` leads to, unless it can change. */
    uint32_t *word;
    struct guard_entry *next;
    /* Of a callback: the function that other threads call in place of `function`. */
    uintptr_t elsewhere;
  };
  /* The cell, if it belongs to the entry. */
  struct guard_cell *own;
  /* The address of its code. */
  uintptr_t code;
  /* Of a callback: the place of its last parameter (callback_code.c). */
  uint64_t place;
};

/* guard_code.c */
#pragma GCC visibility push(hidden)
extern const char smf_clearing_guard[], smf_guard[], smf_guard_return[], smf_guard_recover[], smf_guard_end[];
#if defined(FOR_WINDOWS)
extern const char smf_guard_alone[], smf_mending_call[];
#endif
#pragma GCC visibility pop
/* Of the frame of a guard: from its frame pointer to where its record is, and down to its stack pointer. */
#if defined(FOR_WINDOWS)
enum { RECORD_OFFSET = 32, FRAME_BELOW = 0 };
#elif defined(__x86_64__)
enum { RECORD_OFFSET = -48, FRAME_BELOW = 64 };
#else
enum { RECORD_OFFSET = 160, FRAME_BELOW = 0 };
#endif
/* Whether a return address is that into the code of guards. */
#define smf_is_guard(address) ((address) == (uintptr_t)smf_guard_return)

/* guard.c */
int smf_is_entry(uintptr_t address);
int smf_has_guards(void);
struct guard_entry *smf_take_entry(uint64_t stack_size, const char *guard);
struct guard_entry *smf_entry_of(uintptr_t code);

/* guarded.c */
/* A guard on the stack: its frame pointer, its stack pointer when its function has returned, and its record. */
struct guard {
  uintptr_t base, stack;
  struct guard_entry *entry;
};
int smf_find_guard(uintptr_t stack, struct guard *guard);
int smf_leads_to_guard(struct frame frame, const struct guard *guard, const struct module *module);
int smf_is_at_guard(const struct frame *frame, const struct guard *guard);
void smf_end_call(const struct guard *guard, uintptr_t pc);

#if !defined(FOR_WINDOWS)
/* survive.c */
void smf_find_leaves(void);
int smf_survive(int number, const siginfo_t *info, void *context);

/* cause.c */
void smf_describe(int number, const siginfo_t *info, void *context, struct guard_cell *cell);
#define smf_register_guards() 1
#define smf_has_system_tables(module) 0
/* The code in front of calls on any thread. Deno's threads have alternate stacks for signals. */
#define smf_guard_elsewhere(guard) (guard)
#else
#define smf_find_leaves() ((void)0)
#define smf_guard_elsewhere(guard) smf_guard_alone
/* windows/survive.c */
int smf_register_guards(void);
int smf_has_system_tables(const struct module *module);
#endif

/* system.c */
uintptr_t smf_this_thread(void);
/* Memory for `code` bytes that will be executed, and for `size` bytes behind it; null if there is none. */
uint8_t *smf_reserve_code(size_t code, size_t size);
int smf_finish_code(uint8_t *memory, size_t code);
void smf_free_code(uint8_t *memory, size_t size);

#endif
