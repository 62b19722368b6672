/*
 * The part of Windows that the handler uses: structures as they are in memory
 * (x64 ABI; Microsoft's documentation of the same names), and functions, whose
 * addresses the loader writes into a table. The code is linked with nothing.
 */
#ifndef WINDOWS_H
#define WINDOWS_H
#include "../guard.h"

/* EXCEPTION_RECORD */
struct exception {
  uint32_t code, flags;
  struct exception *nested;
  uintptr_t address;
  uint32_t count;
  uintptr_t information[15];
};

/* CONTEXT: the general registers are in the order of their numbers in instructions. */
struct context {
  uint64_t homes[6];
  uint32_t flags, mxcsr;
  uint16_t segments[6];
  uint32_t eflags;
  uint64_t debug[6];
  uint64_t registers[16], rip;
  uint8_t floating[1232 - 0x100];
} __attribute__((aligned(16)));
enum { RSP = 4, RBP = 5 };

/* EXCEPTION_POINTERS */
struct raised {
  struct exception *exception;
  struct context *context;
};

/* MEMORY_BASIC_INFORMATION */
struct region {
  uintptr_t start, allocation;
  uint32_t first_protection, partition;
  uint64_t size;
  uint32_t state, protection, type;
};

/* The type of a region that belongs to a library or program. */
enum { IMAGE = 0x1000000 };

/* BY_HANDLE_FILE_INFORMATION */
struct file_information {
  uint32_t attributes;
  uint32_t created[2], read[2], written[2];
  uint32_t volume, size_high, size_low, links, index_high, index_low;
};

/* OVERLAPPED */
struct overlapped {
  uintptr_t internal[2];
  uint64_t offset;
  void *event;
};

typedef int32_t exception_handler(struct raised *raised);

/*
 * The table that the loader writes: the identity of this image once all else is there,
 * and the functions in the order of SYSTEM in crash_windows.ts.
 */
struct system {
  uint64_t identity;
  void *(*add_handler)(uint32_t is_first, exception_handler *handler);
  uint32_t (*remove_handler)(void *registration);
  void *(*heap)(void);
  void *(*allocate)(void *heap, uint32_t flags, size_t size);
  int32_t (*free)(void *heap, uint32_t flags, void *memory);
  size_t (*query)(uintptr_t address, struct region *region, size_t size);
  void *(*standard_handle)(uint32_t which);
  int32_t (*write)(void *file, const void *from, uint32_t size, uint32_t *written, struct overlapped *at);
  int32_t (*read)(void *file, void *into, uint32_t size, uint32_t *read, struct overlapped *at);
  void *(*open)(const uint16_t *path, uint32_t access, uint32_t sharing, void *security, uint32_t disposition,
                uint32_t flags, void *template);
  int32_t (*close)(void *file);
  int32_t (*information)(void *file, struct file_information *information);
  int32_t (*widen)(uint32_t code_page, uint32_t flags, const char *text, int32_t size, uint16_t *into, int32_t room);
  const uint32_t *(*function_entry)(uintptr_t pc, uintptr_t *base, void *history);
  void *(*unwind)(uint32_t type, uintptr_t base, uintptr_t pc, const uint32_t *entry, struct context *context,
                  const uint32_t **data, uintptr_t *establisher, void *pointers);
  uint32_t (*thread)(void);
  void (*sleep)(uint32_t milliseconds);
  void *(*reserve)(void *at, size_t size, uint32_t kind, uint32_t protection);
  int32_t (*release)(void *at, size_t size, uint32_t kind);
  int32_t (*protect)(void *at, size_t size, uint32_t protection, uint32_t *before);
  uint8_t (*add_functions)(const void *table, uint32_t count, uintptr_t base);
  int32_t (*guarantee)(uint32_t *size);
  int32_t (*filter)(struct raised *raised);
  int32_t (*terminate)(void *process, uint32_t code);
};
extern struct system smf_system __attribute__((visibility("protected")));

/* The codes of exceptions (NTSTATUS) that end a process. */
enum {
  MISALIGNED = 0x80000002,
  BREAKPOINT = 0x80000003,
  ACCESS_VIOLATION = 0xc0000005,
  IN_PAGE_ERROR = 0xc0000006,
  ILLEGAL_INSTRUCTION = 0xc000001d,
  BOUNDS_EXCEEDED = 0xc000008c,
  FLOAT_FIRST = 0xc000008d,
  FLOAT_LAST = 0xc0000093,
  DIVIDE_BY_ZERO = 0xc0000094,
  INTEGER_OVERFLOW = 0xc0000095,
  PRIVILEGED_INSTRUCTION = 0xc0000096,
  STACK_OVERFLOW = 0xc00000fd,
};

/* The kinds of access violations (the first word of their information). */
enum { READ = 0, WRITE = 1, EXECUTE = 8 };

/* The bounds of a thread's stack in its block (TEB), and the lowest address that belongs to it. */
struct stack {
  uintptr_t base, limit, lowest;
};

/* cause.c */
void smf_write_exception(const struct exception *exception, struct context *context);
void smf_write_abort(struct context *context);
void smf_describe(const struct exception *exception, struct context *context, struct guard_cell *cell);

/* survive.c */
enum verdict { NOT_SURVIVED, IS_SURVIVED, LEFT_TO_BLOCKS, ENDS_HERE };
enum verdict smf_survive(const struct exception *exception, struct context *context, int are_blocks_asked);

/* system.c */
/* The stack that the code on the handler's own stack is about. */
extern struct stack smf_crashed_stack;
void smf_forget_regions(void);
void smf_run_on_stack(char *top, size_t size, void (*run)(void *), void *argument);
void smf_mend_stack(void);
void smf_context_of(const struct frame *frame, struct context *context);

/* libraries.c */
void smf_forget_library(void);
int smf_is_caught(struct context *context);
int smf_is_lost(struct context *context);
int smf_is_behind_export(const struct library *library, uintptr_t address, const char *name);

#endif
