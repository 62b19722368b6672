/*
 * Guards: machine code in front of functions, to which the thread returns when the
 * function crashes. A guard is an ordinary frame on the stack of the thread, which
 * debuggers, exceptions and backtraces pass by its unwind table.
 *
 * The code of an entry loads the address of its record, and jumps to smf_guard
 * (guard_code.c):
 *
 *     page of code                                                    record
 *     lea record(%rip), %r11; jmp *(%r11)                             smf_guard, function, ...
 *     bti c; adr x16, record; ldr x17, [x16]; br x17   (AArch64)
 */
#include "guard.h"
#include <stdlib.h>
#include <string.h>

/* The room for the text that describes a crash, in bytes. */
enum { TEXT_ROOM = 8192 };

/* The bytes of an entry's code; how many entries a block has, whose code fills the smallest page. */
enum { CODE_SIZE = 16, PAGE = 4096, COUNT = PAGE / CODE_SIZE };
/* The distance from code to records: the largest page, so that their protections differ. */
#if defined(__x86_64__)
enum { ROOM = PAGE };
#else
enum { ROOM = 64 << 10 };
#endif

/* One page of code, and the records right behind. Blocks are never given back. */
struct block {
  struct block *next;
  struct guard_entry *entries;
};

static struct block *blocks;
static struct guard_entry *unused;
static int lock;
/* Whether an entry is, or was, that of a guard. */
static int has_guards;

/* Whether this thread has a shadow stack, which a thread that continues elsewhere would have to unwind, too. */
static int has_shadow_stack(void) {
  uintptr_t top = 0;
#if defined(__x86_64__)
  /* rdsspq %rax, which does nothing on other processors and without a shadow stack */
  __asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8" : "+a"(top));
#endif
  return top != 0;
}

/* Writes the code of an entry: loads the address of its record, and jumps to the guard that is there. */
static void write_code(uint8_t *at, const struct guard_entry *entry) {
#if defined(__x86_64__)
  int32_t distance = (int32_t)((const uint8_t *)entry - (at + 7));
  memcpy(at, "\x4c\x8d\x1d", 3);
  memcpy(at + 3, &distance, 4);
  memcpy(at + 7, "\x41\xff\x23\xcc\xcc\xcc\xcc\xcc\xcc", 9);
#else
  uint32_t distance = (uint32_t)((const uint8_t *)entry - (at + 4));
  uint32_t code[4] = {0xd503245f, 0x10000010 | (distance & 3) << 29 | distance >> 2 << 5, 0xf9400211, 0xd61f0220};
  memcpy(at, code, sizeof code);
#endif
}

/* Adds a block of entries. Its code is complete before it can run, and never changes. Returns 0 without memory. */
static int add_block(void) {
  struct block *block = malloc(sizeof *block);
  size_t size = COUNT * sizeof(struct guard_entry);
  uint8_t *code = smf_reserve_code(ROOM, size);
  if (!block || !code) {
    free(block);
    if (code) smf_free_code(code, ROOM + size);
    return 0;
  }
  block->entries = (struct guard_entry *)(code + ROOM);
  for (int index = 0; index < COUNT; index++) {
    uint8_t *at = code + CODE_SIZE * index;
    write_code(at, block->entries + index);
    block->entries[index] = (struct guard_entry){.code = (uintptr_t)at, .next = unused};
    unused = block->entries + index;
  }
  __builtin___clear_cache((char *)code, (char *)code + PAGE);
  if (!smf_finish_code(code, ROOM)) {
    /* The list of unused entries has only those of this block: it was empty. */
    unused = 0;
    smf_free_code(code, ROOM + size);
    free(block);
    return 0;
  }
  block->next = blocks;
  __atomic_store_n(&blocks, block, __ATOMIC_RELEASE);
  return 1;
}

/* Whether a module has unwind tables. */
static int has_tables(const uint32_t *quarantine) {
  const struct module *module = smf_quarantined_by(quarantine);
  return module && (module->facts.frames_size > 0 || smf_has_system_tables(module));
}

/* The record of an entry, by the address of its code. */
struct guard_entry *smf_entry_of(uintptr_t code) {
  uintptr_t page = code & ~(uintptr_t)(PAGE - 1);
  return (struct guard_entry *)(page + ROOM) + (code - page) / CODE_SIZE;
}

/* Whether an address is that of the record of an entry in use. For signal handlers, too. */
int smf_is_entry(uintptr_t address) {
  for (struct block *block = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE); block; block = block->next) {
    uintptr_t distance = address - (uintptr_t)block->entries;
    if (distance >= COUNT * sizeof(struct guard_entry)) continue;
    return distance % sizeof(struct guard_entry) == 0 && ((struct guard_entry *)address)->function;
  }
  return 0;
}

int smf_has_guards(void) { return __atomic_load_n(&has_guards, __ATOMIC_ACQUIRE); }

/*
 * Takes an entry that leads to the machine code `guard`, which passes on `stack_size` bytes of
 * arguments. It is in use as soon as its function is set. Returns null without memory.
 */
struct guard_entry *smf_take_entry(uint64_t stack_size, const char *guard) {
  smf_enter(&lock);
  struct guard_entry *entry = unused || add_block() ? unused : 0;
  if (entry) {
    unused = entry->next;
    entry->guard = (uintptr_t)guard;
    entry->stack_size = (stack_size + 15) & ~(uint64_t)15;
  }
  smf_leave(&lock);
  return entry;
}

/*
 * Puts an entry in front of a function that takes `stack_size` bytes of arguments on
 * the stack. `quarantine` has the address of the word that says whether the module
 * may be called, and can be led to another one; null for the word of the module that
 * the function is in. Calls on one thread share `cell`; null for a cell of the entry's
 * own. Returns the address of the entry's code; 0 without memory, for a function of
 * no module, and for a thread with a shadow stack.
 */
__attribute__((visibility("default"))) uintptr_t smf_guard_add(uintptr_t function, uint64_t stack_size,
                                                               uint32_t **quarantine, struct guard_cell *cell) {
  uint32_t *word = quarantine ? 0 : smf_quarantine(function);
  if ((!quarantine && !word) || has_shadow_stack() || !smf_register_guards()) return 0;
  struct guard_cell *own = 0;
  if (!cell) {
    own = calloc(1, sizeof *own + TEXT_ROOM);
    if (!own) return 0;
    own->room = TEXT_ROOM;
  }
  smf_find_leaves();
  const char *guard = has_tables(quarantine ? *quarantine : word) ? smf_guard : smf_clearing_guard;
  struct guard_entry *entry = smf_take_entry(stack_size, cell ? guard : smf_guard_elsewhere(guard));
  if (!entry) {
    free(own);
    return 0;
  }
  entry->word = word;
  entry->quarantine = quarantine ? quarantine : &entry->word;
  entry->cell = cell ? cell : own;
  entry->own = own;
  __atomic_store_n(&entry->function, function, __ATOMIC_RELEASE);
  __atomic_store_n(&has_guards, 1, __ATOMIC_RELEASE);
  return entry->code;
}

/* Takes an entry away. Nothing may call it any more. */
__attribute__((visibility("default"))) void smf_guard_remove(uintptr_t code) {
  struct guard_entry *entry = smf_entry_of(code);
  smf_enter(&lock);
  struct guard_cell *own = entry->own;
  __atomic_store_n(&entry->function, 0, __ATOMIC_RELEASE);
  entry->own = entry->cell = 0;
  entry->next = unused;
  unused = entry;
  smf_leave(&lock);
  free(own);
}

/* Copies the cell of an entry's own to `to`, and empties it. Returns its state. */
__attribute__((visibility("default"))) uint32_t smf_guard_take(uintptr_t code, struct guard_cell *to) {
  struct guard_cell *own = smf_entry_of(code)->own;
  uint32_t state = own->state;
  if (state == SURVIVED) {
    to->length = own->length < to->room ? own->length : (uint32_t)to->room;
    memcpy(to->text, own->text, to->length);
  }
  own->state = 0;
  return state;
}

/* The address where the code of guards starts, or where it ends: debuggers do not find it by themselves. */
__attribute__((visibility("default"))) uintptr_t smf_guard_code(int is_end) {
  return (uintptr_t)(is_end ? smf_guard_end : smf_clearing_guard);
}
