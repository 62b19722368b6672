/*
 * Decides whether a crash can be survived, and continues in the guard then (Linux).
 * On top of the module's frames there may be a function of the C library that has no
 * state, or abort itself.
 */
#include "guard.h"
#include <dlfcn.h>
#include <sys/syscall.h>
#include <ucontext.h>

/* Functions of the C library that read and write what their arguments point to, and nothing else. */
static const char *const leaf_names[] = {
    "bcmp",       "bcopy",    "bzero",   "ffs",     "index",   "memccpy",     "memchr",    "memcmp",
    "memcpy",     "memmem",   "memmove", "mempcpy", "memrchr", "memset",      "rawmemchr", "rindex",
    "stpcpy",     "stpncpy",  "strcat",  "strchr",  "strcmp",  "strcasecmp",  "strchrnul", "strcpy",
    "strcspn",    "strlen",   "strncat", "strncmp", "strncpy", "strncasecmp", "strnlen",   "strpbrk",
    "strrchr",    "strsep",   "strspn",  "strstr",  "strtok",  "strtok_r",    "wcslen",    "wcsnlen",
    "wcschr",     "wcscmp",   "wcscpy",  "wmemchr", "wmemcmp", "wmemset",     "__memcpy_chk",
    "__memset_chk", "__memmove_chk", "__strcpy_chk", "__strcat_chk",
};
enum { LEAVES = sizeof leaf_names / sizeof *leaf_names };

struct range {
  uint64_t start, size;
};

/* Where these functions are, for this processor. */
static struct range leaves[LEAVES], abort_range;
static int are_found;

/* The range of a function, from the unwind tables of its library; empty if they do not know it. */
static struct range range_of(const char *name) {
  struct range range = {0, 0};
  struct library library;
  uintptr_t address = (uintptr_t)dlsym(RTLD_DEFAULT, name);
  if (!address || !smf_library_at(address, &library) || !library.frames) return range;
  const uint8_t *record = smf_find_record_by_index(library.frames, address);
  if (record) smf_record_range(record, &range.start, &range.size);
  return range;
}

/* Finds the functions that may crash. Not for handlers: the dynamic linker takes locks. */
void smf_find_leaves(void) {
  if (__atomic_load_n(&are_found, __ATOMIC_ACQUIRE)) return;
  for (int index = 0; index < LEAVES; index++) leaves[index] = range_of(leaf_names[index]);
  abort_range = range_of("abort");
  __atomic_store_n(&are_found, 1, __ATOMIC_RELEASE);
}

static int is_in(const struct range *range, uintptr_t pc) { return pc - range->start < range->size; }

static int is_leaf(uintptr_t pc) {
  for (int index = 0; index < LEAVES; index++) {
    if (is_in(&leaves[index], pc)) return 1;
  }
  return 0;
}

/* Goes from the raise of an abort to the frame that called abort. Returns whether there is one. */
static int leave_abort(struct frame *frame) {
  int was_abort = 0;
  for (int count = 0; count < 8; count++) {
    uintptr_t pc = frame->pc - (frame->is_return ? 1 : 0);
    if (smf_module_at(pc) || frame->pc == (uintptr_t)smf_guard_return) return was_abort;
    was_abort = is_in(&abort_range, pc);
    if (smf_caller_by_tables(frame) <= 0) return 0;
  }
  return 0;
}

/* Goes from the fault to the first frame of a module, or to the guard if its function has jumped to the C library. Returns whether what is on top may crash. */
static int leave_top(int number, const siginfo_t *info, struct frame *frame) {
  if (number == SIGABRT) {
    if (info->si_code != SI_TKILL || info->si_pid != smf_call(SYS_getpid, 0, 0, 0, 0)) return 0;
    return leave_abort(frame);
  }
  if (info->si_code <= 0) return 0;
#if defined(__x86_64__)
  /* After a breakpoint the program counter is behind it. */
  if (number == SIGTRAP) frame->is_return = 1;
#endif
  if (!smf_module_at(frame->pc) && !smf_is_readable(frame->pc)) return smf_from_nowhere(frame);
  for (int count = 0; count < 4 && is_leaf(frame->pc - (frame->is_return ? 1 : 0)); count++) {
    if (smf_caller_by_tables(frame) <= 0) return 0;
  }
  return 1;
}

/* Lets the thread go on in a guard when the handler returns. */
static void go_on(void *context, const struct guard *guard) {
#if defined(__x86_64__)
  /* The flags that code may have changed and that functions expect to be clear: trap, direction, alignment check. */
  enum { CHANGED_FLAGS = 0x40500 };
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  registers[REG_RIP] = (greg_t)(uintptr_t)smf_guard_recover;
  registers[REG_RBP] = (greg_t)guard->base;
  registers[REG_RSP] = (greg_t)(guard->base - FRAME_BELOW);
  registers[REG_EFL] &= ~(greg_t)CHANGED_FLAGS;
#else
  /* The kind of the last branch (PSTATE.BTYPE). */
  enum { BRANCH_TYPE = 3 << 10 };
  mcontext_t *saved = &((ucontext_t *)context)->uc_mcontext;
  saved->pc = (uintptr_t)smf_guard_recover;
  saved->regs[FRAME_POINTER] = guard->base;
  saved->sp = guard->base;
  saved->pstate &= ~(uint64_t)BRANCH_TYPE;
#endif
}

/*
 * Continues in the innermost guard, if a crash can be survived: changes the registers
 * of `context`, describes the crash in the guard's cell, and forbids further calls of
 * the module. Returns 0 otherwise; nothing has changed then.
 */
int smf_survive(int number, const siginfo_t *info, void *context) {
  struct frame frame;
  struct guard guard;
  smf_forget_frames();
  smf_first_frame(&frame, context);
  if (!smf_find_guard(frame.registers[STACK_POINTER], &guard) || !leave_top(number, info, &frame)) return 0;
  uintptr_t pc = frame.pc - (frame.is_return ? 1 : 0);
  const struct module *module = smf_module_at(pc);
  if (!smf_is_at_guard(&frame, &guard) && (!module || !smf_leads_to_guard(frame, &guard, module))) return 0;
  smf_describe(number, info, context, guard.entry->cell);
  smf_end_call(&guard, pc);
  go_on(context, &guard);
  return 1;
}
