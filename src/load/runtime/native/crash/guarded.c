/*
 * The frames between a crash and the guard that its call came through: there must be
 * nothing but code of one module. Whatever else is there may hold a lock, or be in the
 * middle of a change.
 */
#include "guard.h"

/* The stack is searched so far for a guard, in bytes; a stack pointer may be so far, in pages, inside what cannot be read. */
#define SEARCHED (64ul << 20)
enum { UNREADABLE = 4096 };

/* The bytes on the stack that a call takes for the return address. */
#if defined(__x86_64__)
enum { RETURN_SIZE = 8 };
#else
enum { RETURN_SIZE = 0 };
#endif

static uintptr_t word_at(uintptr_t address) { return *(const uintptr_t *)address; }

/* Finds the innermost guard above a stack pointer. Remains of earlier calls are not the innermost of their cells. */
int smf_find_guard(uintptr_t stack, struct guard *guard) {
  uintptr_t at = stack & ~(uintptr_t)7;
  for (int page = 0; page < UNREADABLE && !smf_is_readable_again(at); page++) at = (at | 4095) + 1;
  for (uintptr_t end = at + SEARCHED; at < end && smf_is_readable_again(at); at += 8) {
    if (!smf_is_entry(word_at(at))) continue;
    struct guard_entry *entry = (struct guard_entry *)word_at(at);
    uintptr_t base = at - (uintptr_t)RECORD_OFFSET, end_of_frame = base - FRAME_BELOW - entry->stack_size;
    /* The cell of an isolate that has ended is gone. */
    if (!smf_is_readable((uintptr_t)entry->cell) || !smf_is_readable((uintptr_t)&entry->cell->top)) continue;
    if (entry->cell->top != base || end_of_frame < stack) continue;
    *guard = (struct guard){base, end_of_frame, entry};
    return 1;
  }
  return 0;
}

/* Whether two images are versions of one module. */
static int is_same_module(const struct module *left, const struct module *right) {
  if (left == right) return 1;
  if (!left || !right || left->facts.name_size != right->facts.name_size) return 0;
  for (size_t index = 0; index < left->facts.name_size; index++) {
    if (left->name[index] != right->name[index]) return 0;
  }
  return 1;
}

/* Whether code at an address continues the thread after a signal handler: sets the number of rt_sigreturn, and calls it. */
static int is_signal_return(uintptr_t address) {
#if defined(__x86_64__)
  static const uint8_t code[8] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f};
#else
  static const uint8_t code[8] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
#endif
  if (!smf_is_readable(address)) return 0;
  for (int index = 0; index < 8; index++) {
    if (((const uint8_t *)address)[index] != code[index]) return 0;
  }
  return 1;
}

/* Whether a word on the stack may be a return address into code that is not the module's. */
static int may_be_foreign(uintptr_t word, const struct module *module) {
  uintptr_t target;
  if (word < 65536 || word >> 47 || is_same_module(smf_module_at(word), module)) return 0;
  if (!smf_is_readable(word)) return 0;
  if (is_signal_return(word)) return 1;
  return smf_follows_call(word, &target) && smf_is_executable(word - 1);
}

/* How many words that are harmless are remembered. */
enum { HARMLESS = 256 };

/* Whether part of a stack has no frames but the module's. Remains of earlier calls count as frames. */
static int has_module_frames(uintptr_t from, uintptr_t to, const struct module *module) {
  static uintptr_t harmless[HARMLESS];
  for (int index = 0; index < HARMLESS; index++) harmless[index] = 0;
  for (from &= ~(uintptr_t)7; from < to && !smf_is_readable_again(from);) from = (from | 4095) + 1;
  for (uintptr_t at = from; at < to; at += 8) {
    uintptr_t word = smf_unsigned(word_at(at)), *slot = &harmless[(word ^ word >> 8) % HARMLESS];
    /* Stacks are not executable. */
    if (word == *slot || word - from < to - from || word == (uintptr_t)smf_guard_return) continue;
    if (may_be_foreign(word, module)) return 0;
    *slot = word;
  }
  return 1;
}

/* Whether there are only frames of one module from a frame to a guard. */
int smf_leads_to_guard(struct frame frame, const struct guard *guard, const struct module *module) {
  for (;;) {
    uintptr_t pc = frame.pc - (frame.is_return ? 1 : 0), stack = frame.registers[STACK_POINTER];
    const struct module *here = smf_module_at(pc);
    if (!smf_is_code(here, pc) || !is_same_module(here, module) || stack > guard->stack) return 0;
    int found = smf_caller_by_tables(&frame);
    if (found < 0) return 0;
#if defined(__aarch64__)
    /* A function that calls no other has its return address here. */
    uintptr_t link = smf_unsigned(frame.registers[RETURN_ADDRESS]);
    if (!found && !frame.is_return && link != (uintptr_t)smf_guard_return && may_be_foreign(link, module)) return 0;
#endif
    if (!found) return has_module_frames(stack, guard->stack - RETURN_SIZE, module);
    if (frame.pc == (uintptr_t)smf_guard_return) return frame.registers[STACK_POINTER] == guard->stack;
  }
}

/* Whether a function has jumped away, so that its frame is gone: this frame returns to the guard. */
int smf_is_at_guard(const struct frame *frame, const struct guard *guard) {
  return frame->pc == (uintptr_t)smf_guard_return && frame->registers[STACK_POINTER] == guard->stack;
}

/* Ends the call of a guard, whose crash is described, and forbids further calls of the module with `pc` inside. */
void smf_end_call(const struct guard *guard, uintptr_t pc) {
  uint32_t *quarantine = smf_quarantine(pc);
  if (quarantine) __atomic_store_n(quarantine, 1, __ATOMIC_SEQ_CST);
  /* The version that serves may not be prepared for guards: then nothing says whether it may be called. */
  uint32_t *current = *guard->entry->quarantine;
  if (smf_quarantined_by(current)) __atomic_store_n(current, 1, __ATOMIC_SEQ_CST);
  guard->entry->cell->state = SURVIVED;
}
