/*
 * Decides whether a crash can be survived, and continues in the guard then (Windows).
 * On top of the module's frames there may be a function of a library that has no state.
 *
 * Blocks of the module that catch exceptions come before the guard. The vectored handler
 * sees an exception before they do: if the module has any on the way, it leaves the
 * exception to the system, which asks them, and then the handler of the guard's frame.
 */
#include "windows.h"

/* The libraries that have functions without state, in lower case. Text in place, as everywhere in this image. */
static const char leaf_libraries[][16] = {"ntdll.dll", "msvcrt.dll", "ucrtbase.dll", "vcruntime140.dll"};

/* Functions that read and write what their arguments point to, and nothing else. */
static const char leaf_names[][16] = {
    "memccpy", "memchr",  "memcmp",  "memcpy",  "memcpy_s", "memmove", "memmove_s", "memset",   "strcat",  "strchr",
    "strcmp",  "strcpy",  "strcspn", "strlen",  "strncat",  "strncmp", "strncpy",   "strnlen",  "strpbrk", "strrchr",
    "strspn",  "strstr",  "wcscat",  "wcschr",  "wcscmp",   "wcscpy",  "wcslen",    "wcsncmp",  "wcsncpy", "wcsnlen",
    "wcsrchr", "wcsstr",  "memicmp", "_memicmp", "_mbslen",  "RtlFillMemory", "RtlMoveMemory", "RtlZeroMemory",
};
/* A function without an unwind table is not taken to be longer, in bytes. */
enum { LONGEST_LEAF = 2048 };

/* Whether a name is the one of a list, in any case if `is_any_case`. */
static int is_name(const char *name, size_t size, const char *wanted, size_t room, int is_any_case) {
  for (size_t index = 0; index < room && (index < size || wanted[index]); index++) {
    char byte = index < size ? name[index] : 0;
    if (is_any_case && byte >= 'A' && byte <= 'Z') byte = (char)(byte + 'a' - 'A');
    if (byte != wanted[index]) return 0;
  }
  return size <= room;
}

/* Whether an address is in a function that may crash. */
static int is_leaf(uintptr_t pc) {
  struct library library;
  struct place place;
  uintptr_t base;
  int is_known = 0;
  if (smf_module_at(pc) || !smf_library_at(pc, &library) || smf_is_program(&library)) return 0;
  for (size_t index = 0; index < sizeof leaf_libraries / sizeof *leaf_libraries; index++) {
    is_known |= is_name(library.name, smf_size_of(library.name), leaf_libraries[index], sizeof *leaf_libraries, 1);
  }
  if (!is_known) return 0;
  int is_exported = smf_library_function(&library, pc, &place);
  if (is_exported && place.distance >= LONGEST_LEAF && !smf_system.function_entry(pc, &base, 0)) return 0;
  for (size_t index = 0; index < sizeof leaf_names / sizeof *leaf_names; index++) {
    const char *name = leaf_names[index];
    if (is_exported && is_name(place.name, place.name_size, name, sizeof *leaf_names, 0)) return 1;
    if (!is_exported && smf_is_behind_export(&library, pc, name)) return 1;
  }
  return 0;
}

/*
 * Goes from the fault to the first frame of a module, or to the guard if its function
 * has jumped to a library. Returns whether what is on top may crash.
 */
static int leave_top(struct frame *frame) {
  if (!smf_module_at(frame->pc) && !smf_is_readable(frame->pc)) return smf_from_nowhere(frame);
  for (int count = 0; count < 4 && is_leaf(frame->pc - (frame->is_return ? 1 : 0)); count++) {
    if (smf_caller_by_tables(frame) <= 0) return 0;
  }
  return 1;
}

/*
 * Leaves a function of a module that has no table because it has no frame and calls
 * nobody: so compilers of Windows make them. Its caller has a table, or is the guard.
 */
static void leave_frameless(struct frame *frame, const struct guard *guard) {
  struct frame caller = *frame;
  uintptr_t base, target;
  if (frame->is_return || smf_caller_by_tables(&caller) != 0 || !smf_is_readable(frame->registers[STACK_POINTER])) return;
  uintptr_t word = *(const uintptr_t *)frame->registers[STACK_POINTER];
  int is_guard = smf_is_guard(word) && frame->registers[STACK_POINTER] + 8 == guard->stack;
  int has_table = smf_module_at(word) && smf_follows_call(word, &target) && smf_system.function_entry(word - 1, &base, 0);
  if (!is_guard && !has_table) return;
  frame->pc = word;
  frame->registers[STACK_POINTER] += 8;
  frame->is_return = 1;
}

/* The blocks that catch exceptions between a crash and its guard. */
enum blocks { NO_BLOCKS, BLOCKS, BLOCKS_ONLY };

/*
 * Finds whether the system asks blocks of the module before the guard: BLOCKS_ONLY if it
 * would not find the guard behind them, since a frame between has no table.
 */
static enum blocks blocks_before(struct frame frame, const struct guard *guard) {
  enum { CATCHES = 1, CHAINED = 4 };
  enum blocks found = NO_BLOCKS;
  while (!smf_is_at_guard(&frame, guard)) {
    uintptr_t pc = frame.pc - (frame.is_return ? 1 : 0), base;
    const uint32_t *entry = smf_system.function_entry(pc, &base, 0);
    if (!entry) return found ? BLOCKS_ONLY : NO_BLOCKS;
    for (int part = 0; part < 32; part++) {
      const uint8_t *unwind = (const uint8_t *)base + entry[2];
      if (unwind[0] >> 3 & CATCHES) found = BLOCKS;
      if (!(unwind[0] >> 3 & CHAINED)) break;
      entry = (const uint32_t *)(unwind + 4 + 2 * ((unwind[2] + 1) & ~1));
    }
    if (smf_caller_by_tables(&frame) <= 0) return found ? BLOCKS_ONLY : NO_BLOCKS;
  }
  return found;
}

/* Lets the thread go on in a guard when the context becomes its registers. */
static void go_on(struct context *context, const struct guard *guard) {
  /* The flags that code may have changed and that functions expect to be clear: trap, direction, alignment check. */
  enum { CHANGED_FLAGS = 0x40500 };
  context->rip = (uintptr_t)smf_guard_recover;
  context->registers[RBP] = guard->base;
  context->registers[RSP] = guard->base - FRAME_BELOW;
  context->eflags &= ~(uint32_t)CHANGED_FLAGS;
}

/*
 * Continues in the innermost guard, if a crash can be survived: changes the registers of
 * `context`, describes the crash in the guard's cell, and forbids further calls of the
 * module. Otherwise nothing has changed. `exception` is null for an abort, whose context
 * is that of the call; `are_blocks_asked`: the blocks before the guard did not want it.
 */
enum verdict smf_survive(const struct exception *exception, struct context *context, int are_blocks_asked) {
  struct frame frame;
  struct guard guard;
  uintptr_t stack = context->registers[RSP];
  smf_forget_frames();
  smf_first_frame(&frame, context);
  /* Code that has gone to another stack has not told the guard. */
  if (stack < smf_crashed_stack.lowest || stack >= smf_crashed_stack.base) return NOT_SURVIVED;
  if (!smf_find_guard(stack, &guard) || guard.base >= smf_crashed_stack.base) return NOT_SURVIVED;
  if (exception && !leave_top(&frame)) return NOT_SURVIVED;
  if (!exception) frame.is_return = 1, frame.pc++;
  uintptr_t pc = frame.pc - (frame.is_return ? 1 : 0);
  const struct module *module = smf_module_at(pc);
  if (module) leave_frameless(&frame, &guard);
  if (!smf_is_at_guard(&frame, &guard) && (!module || !smf_leads_to_guard(frame, &guard, module))) return NOT_SURVIVED;
  if (exception && !are_blocks_asked) {
    enum blocks blocks = blocks_before(frame, &guard);
    if (blocks == BLOCKS || (blocks == BLOCKS_ONLY && smf_is_caught(context))) return LEFT_TO_BLOCKS;
  }
  smf_describe(exception, context, guard.entry->cell);
  smf_end_call(&guard, pc);
  go_on(context, &guard);
  return IS_SURVIVED;
}

/* Registers the table of guards' frames, once. Returns 0 on failure. */
int smf_register_guards(void) {
  static int lock, is_registered;
  extern const char smf_guard_unwind[] __attribute__((visibility("hidden")));
  /* RUNTIME_FUNCTION: offsets from smf_clearing_guard. The system reads it for as long as there are guards. */
  static uint32_t function[3];
  smf_enter(&lock);
  if (!is_registered) {
    function[0] = (uint32_t)(smf_guard - smf_clearing_guard);
    function[1] = (uint32_t)(smf_guard_end - smf_clearing_guard);
    function[2] = (uint32_t)(smf_guard_unwind - smf_clearing_guard);
    is_registered = smf_system.add_functions(function, 1, (uintptr_t)smf_clearing_guard);
  }
  smf_leave(&lock);
  return is_registered;
}

/*
 * Whether a module's code has tables of the system, which compilers of Windows make for
 * every function that has a frame. Such modules have many, so a few places tell.
 */
int smf_has_system_tables(const struct module *module) {
  enum { PLACES = 64 };
  uintptr_t start = module->facts.start + module->facts.code, base;
  for (uint64_t place = 0; place < PLACES; place++) {
    if (smf_system.function_entry(start + module->facts.code_size / PLACES * place, &base, 0)) return 1;
  }
  return 0;
}

/*
 * Puts an entry in front of a function that is called on threads of anybody's: the system notices when
 * the thread's stack overflows. Returns the address of the entry's code, for smf_guard_remove; 0 without memory.
 */
__attribute__((visibility("default"))) uintptr_t smf_mending_add(uintptr_t function) {
  struct guard_entry *entry = smf_take_entry(0, smf_mending_call);
  if (!entry) return 0;
  __atomic_store_n(&entry->function, function, __ATOMIC_RELEASE);
  return entry->code;
}
