/*
 * From a frame to that of its caller. Modules and libraries with unwind tables say
 * where it is. For code without, the return address is searched: on AArch64 and in
 * code that a JavaScript engine has made, frame pointers lead to it; else it is the
 * next word on the stack that a call can have left there.
 */
#include "crash.h"

/* How far above a frame, in words, a return address is searched: frames of a few pages are rare. */
enum { SEARCHED = 8192 };
/* The largest distance between two frames by frame pointer. */
#define LARGEST_FRAME (8ul << 20)

/* The records of addresses of modules that were looked up: recursions have the same ones again and again. */
enum { KNOWN = 16 };
static struct {
  uintptr_t pc;
  const uint8_t *record;
} known[KNOWN];

/* Forgets what was looked up: modules may have come and gone since then. */
void smf_forget_frames(void) {
  for (int index = 0; index < KNOWN; index++) known[index].pc = 0, known[index].record = 0;
  smf_forget_readable();
}

static uintptr_t load(uintptr_t address) { return smf_is_readable(address) ? *(const uintptr_t *)address : 0; }

/* Whether a word can be a return address: a call is in front of it. `target` gets where a direct call leads, else 0. */
int smf_follows_call(uintptr_t address, uintptr_t *target) {
  *target = 0;
#if defined(__x86_64__)
  if (!smf_is_readable(address - 8)) return 0;
  const uint8_t *at = (const uint8_t *)address;
  if (at[-5] == 0xe8) {
    *target = address + (uintptr_t)(intptr_t) * (const int32_t *)(at - 4);
    return 1;
  }
  /* call *register, call *distance(%rip), call *8 bits(register), call *32 bits(register), each with one byte for the index. */
  if (at[-2] == 0xff && (at[-1] & 0xf8) == 0xd0) return 1;
  if (at[-2] == 0xff && (at[-1] & 0xf8) == 0x10) return 1;
  if (at[-3] == 0xff && (at[-2] & 0xf8) == 0x50) return 1;
  if (at[-3] == 0xff && at[-2] == 0x14) return 1;
  if (at[-4] == 0xff && at[-3] == 0x54) return 1;
  if (at[-6] == 0xff && (at[-5] == 0x15 || (at[-5] & 0xf8) == 0x90)) return 1;
  return at[-7] == 0xff && at[-6] == 0x94;
#else
  if ((address & 3) || !smf_is_readable(address - 8)) return 0;
  uint32_t code = ((const uint32_t *)address)[-1];
  if (code >> 26 == 0x25) {
    *target = address - 4 + (uintptr_t)((int64_t)((uint64_t)code << 38) >> 36);
    return 1;
  }
  return (code & 0xfffffc1f) == 0xd63f0000 || (code & 0xfffff800) == 0xd73f0800 || (code & 0xfffff800) == 0xd63f0800;
#endif
}

/* Whether the frame pointer leads to a frame: two words above the stack pointer, with a return address behind a call. */
static int has_frame_pointer(const struct frame *frame) {
  uintptr_t at = frame->registers[FRAME_POINTER], stack = frame->registers[STACK_POINTER], target;
  if ((at & 7) || at < stack || at - stack > LARGEST_FRAME || !smf_is_readable(at) || !smf_is_readable(at + 8)) return 0;
  return smf_follows_call(smf_unsigned(load(at + 8)), &target);
}

static int by_frame_pointer(struct frame *frame) {
  uintptr_t at = frame->registers[FRAME_POINTER];
  if (!has_frame_pointer(frame)) return 0;
  frame->pc = smf_unsigned(load(at + 8));
  frame->registers[FRAME_POINTER] = load(at);
  frame->registers[STACK_POINTER] = at + 16;
  frame->is_return = 1;
  return 1;
}

/* Takes the return address in the word at `at` of the stack. */
static int take(struct frame *frame, uintptr_t at) {
  uintptr_t base = frame->registers[FRAME_POINTER];
  if (at == base + 8) frame->registers[FRAME_POINTER] = load(base);
  frame->searched = frame->pc;
  frame->distance = at - frame->registers[STACK_POINTER];
  frame->pc = smf_unsigned(load(at));
  frame->registers[STACK_POINTER] = at + 8;
  frame->is_return = 1;
  return 1;
}

/* Whether two functions are one that the compiler has split: `f` and `f.cold`. */
static int is_same_function(const struct place *left, const struct place *right) {
  for (size_t at = 0;; at++) {
    char one = at < left->name_size ? left->name[at] : '.', other = at < right->name_size ? right->name[at] : '.';
    if (one != other) return 0;
    if (one == '.' && at > 0) return 1;
  }
}

/* How well a word on the stack suits as the return address of a function. */
enum fit { NO_FIT, POSSIBLE, EXACT };

/*
 * Words that calls of before have left look the same as return addresses. One
 * behind a direct call of another function of the module is such a word; one behind
 * a direct call of this very function is the right one.
 */
static enum fit fit_of(uintptr_t word, const struct module *module, const struct place *function) {
  const struct module *other = smf_module_at(word);
  uintptr_t target;
  struct place place;
  struct library library;
  if (other ? !smf_is_code(other, word) : word < 65536 || word >> 47) return NO_FIT;
  if (!smf_follows_call(word, &target)) return NO_FIT;
  if (!other) return !smf_library_at(word, &library) || library.frames || smf_is_program(&library) ? POSSIBLE : NO_FIT;
  /* The address of a function, which happens to be behind a call that never returns. */
  if (smf_function_at(other, word, &place) && place.distance == 0) return NO_FIT;
  if (!target || !function->start || other != module || !smf_function_at(module, target, &place)) return POSSIBLE;
  return is_same_function(&place, function) ? EXACT : NO_FIT;
}

/* Searches the return address of code without tables. */
static int by_search(struct frame *frame, const struct module *module) {
  struct place function = {0};
  uintptr_t stack = frame->registers[STACK_POINTER] & ~(uintptr_t)7, possible = 0;
  uintptr_t base = frame->registers[FRAME_POINTER];
  if (module && !smf_function_at(module, frame->pc - (frame->is_return ? 1 : 0), &function)) function.start = 0;
  /* The stack may have overflowed. */
  for (int page = 0; page < 20 && !smf_is_readable(stack); page++) stack = (stack | 4095) + 1;
  /* In a recursion the frames of one call have one size. */
  if (frame->is_return && frame->pc == frame->searched) {
    uintptr_t at = stack + frame->distance;
    if (fit_of(smf_unsigned(load(at)), module, &function) != NO_FIT) return take(frame, at);
  }
  uintptr_t limit = stack + 8 * SEARCHED;
  if (has_frame_pointer(frame) && base + 16 < limit) limit = base + 16;
  for (uintptr_t at = stack; at < limit; at += 8) {
    if (!(at & 4088) && !smf_is_readable(at)) break;
    enum fit fit = fit_of(smf_unsigned(*(const uintptr_t *)at), module, &function);
    if (fit == EXACT) return take(frame, at);
    if (fit == POSSIBLE && !possible) possible = at;
  }
  return possible ? take(frame, possible) : by_frame_pointer(frame);
}

#if defined(__aarch64__)
/* AArch64 code keeps frame pointers; only a function that calls no other has its return address in a register. */
static int by_link_register(struct frame *frame, const struct module *module) {
  uintptr_t link = smf_unsigned(frame->registers[RETURN_ADDRESS]), target;
  struct place here = {0};
  if (frame->is_return || !link || !smf_follows_call(link, &target)) return 0;
  if (module && smf_function_at(module, frame->pc, &here) && link - here.start <= here.size && here.size) return 0;
  if (has_frame_pointer(frame) && smf_unsigned(load(frame->registers[FRAME_POINTER] + 8)) == link) return 0;
  frame->pc = link;
  frame->is_return = 1;
  return 1;
}
#endif

/* A call of an address where no code is: the return address is still where the call has put it. */
int smf_from_nowhere(struct frame *frame) {
#if defined(__x86_64__)
  uintptr_t stack = frame->registers[STACK_POINTER], word = load(stack), target;
  if (!word || !smf_follows_call(word, &target)) return 0;
  return take(frame, stack);
#else
  uintptr_t link = smf_unsigned(frame->registers[RETURN_ADDRESS]), target;
  if (!smf_follows_call(link, &target)) return 0;
  frame->pc = link;
  frame->is_return = 1;
  return 1;
#endif
}

/* Finds the unwind table's record of an address in a module; null if there is none. */
static const uint8_t *record_of(const struct module *module, uintptr_t pc) {
  unsigned index = (unsigned)(pc ^ pc >> 4) % KNOWN;
  if (known[index].pc == pc) return known[index].record;
  const uint8_t *table = (const uint8_t *)module->facts.start + module->facts.frames, *record = 0;
  if (module->facts.frames_size) record = smf_find_record(table, table + module->facts.frames_size, pc);
  known[index].pc = pc;
  return known[index].record = record;
}

/* Changes a frame to that of the caller, by unwind tables. Returns 0 if there are none, and −1 where the stack ends. */
int smf_caller_by_tables(struct frame *frame) {
  uintptr_t pc = frame->pc - (frame->is_return ? 1 : 0);
  const struct module *module = smf_module_at(pc);
  struct library library;
  if (!module) return smf_library_caller(smf_library_at(pc, &library) ? &library : 0, frame);
  const uint8_t *record = record_of(module, pc);
  /* Code of Windows' own compilers has the tables that libraries have there. */
  return record ? smf_apply_record(record, frame) : smf_library_caller(0, frame);
}

/* Changes a frame to that of the caller. Returns 0 where the stack ends or nothing is known. */
int smf_caller(struct frame *frame) {
  uintptr_t pc = frame->pc - (frame->is_return ? 1 : 0);
  int found = smf_caller_by_tables(frame);
  if (found) return found > 0;
  const struct module *module = smf_module_at(pc);
  struct library library;
  int is_library = !module && smf_library_at(pc, &library);
  if (!frame->is_return && !module && !is_library && !smf_is_readable(pc)) return smf_from_nowhere(frame);
#if defined(__aarch64__)
  if (by_link_register(frame, module)) return 1;
  if (by_frame_pointer(frame)) return 1;
#endif
  if (module || (is_library && !smf_is_program(&library))) return by_search(frame, module);
  return by_frame_pointer(frame);
}
