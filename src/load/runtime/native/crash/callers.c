/*
 * Callbacks that can say which native code has called them: an entry in front
 * of each leaves a frame, from which the walk begins (callback_code.c). Entries are
 * those of guards, with other code behind them.
 */
#include "callers.h"

/* The stack is searched so far for the frame, in bytes: as much as the engine uses by default, several times. */
#define SEARCHED (8ul << 20)

/*
 * Puts an entry in front of a callback that takes `stack_size` bytes of arguments on
 * the stack, and that this thread's JavaScript runs. Other threads call `elsewhere`
 * in its place, whose parameters are one more: the address of the entry's frame, at
 * `place` (callback_code.c), for whose arguments there must be room in `stack_size`.
 * Returns the address of the entry's code, for smf_guard_remove; 0 if the system refuses it.
 */
__attribute__((visibility("default"))) uintptr_t smf_callback_add(uintptr_t function, uintptr_t elsewhere,
                                                                  uint64_t stack_size, uint64_t place) {
  if (!smf_register_callbacks()) return 0;
  struct guard_entry *entry = smf_take_entry(stack_size, smf_callback);
  if (!entry) return 0;
  entry->thread = smf_this_thread();
  entry->elsewhere = elsewhere;
  entry->place = place;
  __atomic_store_n(&entry->function, function, __ATOMIC_RELEASE);
  return entry->code;
}

/* Whether the frame of an entry is at an address. */
static int is_frame(const uintptr_t *base, uintptr_t record) {
  return smf_is_readable_again((uintptr_t)(base + RECORD_WORD)) && base[RECORD_WORD] == record &&
         smf_is_readable_again((uintptr_t)(base + OWN_WORD)) && base[OWN_WORD] == (uintptr_t)base &&
         smf_is_readable_again((uintptr_t)(base + END_WORD));
}

/* Finds the frame of an entry on this thread's stack, above an address; null if there is none. */
static const uintptr_t *frame_of(uintptr_t record, uintptr_t above) {
  uintptr_t at = (above + 7) & ~(uintptr_t)7;
  for (uintptr_t end = at + SEARCHED; at < end && smf_is_readable_again(at); at += 8) {
    const uintptr_t *base = (const uintptr_t *)at - RECORD_WORD;
    if (*(const uintptr_t *)at == record && is_frame(base, record)) return base;
  }
  return 0;
}

/* The frame that has called an entry, whose own frame is at `base`. */
static struct frame caller_of(const uintptr_t *base) {
  struct frame frame = {0};
#if defined(FOR_WINDOWS)
  /* %rbx, %rsi and %rdi, and %r12 to %r15 */
  for (int number = 3; number < 6; number++) frame.registers[number] = base[16 - number];
  for (int number = 12; number < 16; number++) frame.registers[number] = base[22 - number];
#elif defined(__x86_64__)
  /* %rbx, and %r12 to %r15 */
  frame.registers[3] = base[-1];
  for (int number = 12; number < 16; number++) frame.registers[number] = base[10 - number];
#else
  for (int number = 19; number < 29; number++) frame.registers[number] = base[number - 17];
#endif
  frame.registers[FRAME_POINTER] = base[POINTER_WORD];
  frame.registers[STACK_POINTER] = (uintptr_t)(base + END_WORD);
  frame.pc = smf_unsigned(base[RETURN_WORD]);
  frame.is_return = 1;
  return frame;
}

/* A question for the callers of an entry, and where the answer goes. */
struct question {
  uintptr_t record, base, above;
  struct guard_cell *cell;
  int is_reported;
};

static void answer(void *argument) {
  struct question *question = argument;
  smf_forget_frames();
  const uintptr_t *base = (const uintptr_t *)question->base;
  if (!base) base = frame_of(question->record, question->above);
  else if (!is_frame(base, question->record)) base = 0;
  if (!base) return;
  smf_say_into(question->cell->text, question->cell->room);
  smf_describe_frames(caller_of(base), 1);
  question->cell->length = (uint32_t)smf_said();
}

/*
 * Describes the native code that has called an entry, whose callback is running: a line for each
 * frame, as for a crash that is survived, each behind a line feed. `base` is the address of the entry's frame
 * on a thread that waits for the callback; 0 if this thread has called it.
 */
__attribute__((visibility("default"))) void smf_callers(uintptr_t code, uintptr_t base, struct guard_cell *cell) {
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  struct question question = {(uintptr_t)smf_entry_of(code), base, here, cell, 0};
  cell->length = 0;
  smf_run_alone(answer, &question, &question.is_reported);
}
