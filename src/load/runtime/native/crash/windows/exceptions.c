/*
 * Handles exceptions: survives one behind a guard, writes a report if one ends the
 * process in code that a module has, or has called, and leaves everything else alone.
 * After a report the process goes on to end as it would have.
 */
#include "windows.h"

/* The answers of vectored handlers (EXCEPTION_CONTINUE_SEARCH and the like), and of those of frames. */
enum { CONTINUE_SEARCH = 0, CONTINUE_EXECUTION = -1, EXECUTE_HANDLER = 1 };
enum { FRAME_CONTINUES_EXECUTION = 0, FRAME_CONTINUES_SEARCH = 1 };

/* A stack for both: after a stack overflow there is hardly any room left. */
static char stack[64 << 10] __attribute__((aligned(16)));

/* The thread that decides, or has written a report; 0 while there is none. */
static uint32_t reporter;
/* Guards the order of handlers, and the functions that stand for `abort`. */
static int lock;
static int is_installed;
/* The registration of the handler that writes reports. */
static void *writer;

struct crash {
  /* Null for an abort. */
  const struct exception *exception;
  struct context *context;
  int are_blocks_asked;
  enum verdict verdict;
  int is_reported;
};

/* Whether an exception ends the process unless somebody handles it: not C++'s, not debuggers', not the guard pages of stacks. */
static int is_fatal(uint32_t code) {
  return code == MISALIGNED || code == ACCESS_VIOLATION || code == IN_PAGE_ERROR || code == ILLEGAL_INSTRUCTION ||
         (code >= BOUNDS_EXCEEDED && code <= PRIVILEGED_INSTRUCTION) || code == STACK_OVERFLOW;
}

/*
 * Whether an exception is a module's, and nobody catches it: in its code, in code of a
 * library, or a call of an address where no code is. Engines handle faults in
 * code that they have made, and the program's own code is no concern of modules.
 */
static int is_of_module(const struct crash *crash) {
  const struct exception *exception = crash->exception;
  struct library library;
  uintptr_t pc = crash->context->rip;
  if (!exception) return 1;
  int is_call = exception->code == ACCESS_VIOLATION && exception->information[0] == EXECUTE;
  int is_library = smf_library_at(pc, &library) && !smf_is_program(&library);
  if (!is_call && !is_library && !smf_module_at(pc)) return 0;
  return crash->are_blocks_asked || !smf_is_caught(crash->context);
}

static void decide(void *argument) {
  struct crash *crash = argument;
  if (smf_has_guards()) crash->verdict = smf_survive(crash->exception, crash->context, crash->are_blocks_asked);
  if (crash->verdict != NOT_SURVIVED) return;
  /* A breakpoint is the business of debuggers, unless it is one of code behind a guard. */
  if (crash->exception && crash->exception->code == BREAKPOINT) return;
  if (!is_of_module(crash) || !smf_has_module_frame(crash->context)) return;
  if (crash->exception) smf_write_exception(crash->exception, crash->context);
  else smf_write_abort(crash->context);
  crash->is_reported = 1;
  if (!crash->exception || crash->are_blocks_asked) return;
  /* Else the process ends as without reports, whatever comes of that. */
  int must_end = smf_has_guards() || crash->exception->code == STACK_OVERFLOW;
  if (must_end && smf_is_lost(crash->context)) crash->verdict = ENDS_HERE;
}

/* How often another thread's crash is waited for: first as long as other threads want to run, then for some milliseconds each time. */
enum { TURNS = 2200, SHORT_TURNS = 2000, TURN = 10 };

/*
 * Runs a function on the stack for handlers, while no other thread does. `is_reported` says
 * whether it wrote a report: then nobody runs anything here any more, because the process ends. Returns whether the function ran.
 */
int smf_run_alone(void (*run)(void *), void *argument, const int *is_reported) {
  uint32_t thread = smf_system.thread(), owner = 0;
  for (int turn = 0; !__atomic_compare_exchange_n(&reporter, &owner, thread, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
       turn++, owner = 0) {
    /* Another thread has crashed, too: its report comes whole, and then the process ends. */
    if (owner == thread || turn == TURNS) return 0;
    smf_system.sleep(turn < SHORT_TURNS ? 0 : TURN);
  }
  __atomic_fetch_add(&smf_readers, 1, __ATOMIC_SEQ_CST);
  smf_forget_regions();
  smf_forget_library();
  smf_run_on_stack(stack + sizeof stack, sizeof stack, run, argument);
  if (!*is_reported) {
    __atomic_fetch_sub(&smf_readers, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&reporter, 0, __ATOMIC_SEQ_CST);
  }
  return 1;
}

/*
 * Survives the crash if it can be; else writes a report if code of a module is on the
 * stack, once in a process: it ends afterwards.
 */
static enum verdict survive_or_report(const struct exception *exception, struct context *context, int are_blocks_asked) {
  struct crash crash = {exception, context, are_blocks_asked, NOT_SURVIVED, 0};
  smf_run_alone(decide, &crash, &crash.is_reported);
  return crash.verdict;
}

/*
 * The answers of a vectored handler. The system would lose its way through a module without
 * tables, and might never end: there the process ends as the system ends it.
 */
static int32_t answer(enum verdict verdict, struct raised *raised) {
  if (verdict == IS_SURVIVED) return CONTINUE_EXECUTION;
  if (verdict != ENDS_HERE) return CONTINUE_SEARCH;
  uint32_t code = raised->exception->code;
  /* This asks the program's own last filter, and debuggers. It needs more room than a stack has that has overflowed. */
  int32_t result = code == STACK_OVERFLOW ? EXECUTE_HANDLER : smf_system.filter(raised);
  if (result == EXECUTE_HANDLER) smf_system.terminate((void *)-1, code);
  return result;
}

/* The last of all handlers: nobody before it has handled the exception. */
static int32_t decide_last(struct raised *raised) {
  uint32_t code = raised->exception->code;
  if (!is_fatal(code) && !(code == BREAKPOINT && smf_has_guards())) return CONTINUE_SEARCH;
  return answer(survive_or_report(raised->exception, raised->context, 0), raised);
}

/*
 * The first of all handlers. Keeps the other one the last, behind those that the
 * program or a module has installed since. After a stack overflow the handlers in
 * between may have no room to come back.
 */
static int32_t keep_last(struct raised *raised) {
  uint32_t code = raised->exception->code;
  if (code == STACK_OVERFLOW) {
    int32_t result = answer(survive_or_report(raised->exception, raised->context, 0), raised);
    if (result != CONTINUE_SEARCH) return result;
  }
  if (!is_fatal(code) || !smf_module_at(raised->context->rip)) return CONTINUE_SEARCH;
  if (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) return CONTINUE_SEARCH;
  void *last = smf_system.add_handler(0, decide_last);
  if (last) {
    smf_system.remove_handler(writer);
    writer = last;
  }
  smf_leave(&lock);
  return CONTINUE_SEARCH;
}

/*
 * The handler of a guard's frame (EXCEPTION_ROUTINE): no block behind the guard has
 * taken the exception. The code of guards jumps here. Nothing is to be done when the
 * frame is left because somebody in front of it has taken an exception.
 */
__attribute__((visibility("hidden"))) int32_t smf_handle_at_guard(const struct exception *exception, void *frame,
                                                                  struct context *context, void *dispatcher) {
  enum { IS_UNWINDING = 2 | 4 };
  (void)frame;
  (void)dispatcher;
  if ((exception->flags & IS_UNWINDING) || (!is_fatal(exception->code) && exception->code != BREAKPOINT)) {
    return FRAME_CONTINUES_SEARCH;
  }
  return survive_or_report(exception, context, 1) == IS_SURVIVED ? FRAME_CONTINUES_EXECUTION : FRAME_CONTINUES_SEARCH;
}

/*
 * Installs the handlers, once, and has this thread notice when its stack overflows.
 * Returns −1 if the system refuses them.
 */
int smf_install(void) {
  smf_mend_stack();
  if (__atomic_load_n(&is_installed, __ATOMIC_ACQUIRE)) return 0;
  smf_enter(&lock);
  if (!is_installed && smf_system.add_handler(1, keep_last)) {
    writer = smf_system.add_handler(0, decide_last);
    __atomic_store_n(&is_installed, 1, __ATOMIC_RELEASE);
  }
  smf_leave(&lock);
  return is_installed && writer ? 0 : -1;
}

/* The C libraries' functions `abort`, each in the place of the function below that stands for it. */
static void (*aborts[2])(void);

extern const char smf_abort_first[] __attribute__((visibility("hidden")));
extern const char smf_abort_second[] __attribute__((visibility("hidden")));

/*
 * Called by the functions that stand for `abort`: with the general registers of their
 * caller, in the order of their numbers. Returns the frame of the guard in which the
 * thread goes on; otherwise the process ends.
 */
__attribute__((visibility("hidden"))) uintptr_t smf_on_abort(const uintptr_t *registers, int which) {
  struct context context = {0};
  for (int number = 0; number < 16; number++) context.registers[number] = registers[number];
  /* Inside the call, not behind it: that may be another function. */
  context.rip = ((const uintptr_t *)registers[RSP])[-1] - 1;
  if (survive_or_report(0, &context, 0) == IS_SURVIVED) return context.registers[RBP];
  aborts[which]();
  return 0;
}

/*
 * The function that modules call in place of `abort` of a C library, which ends the
 * process without an exception; the same one for a function that no library has, and
 * if there are too many C libraries.
 */
__attribute__((visibility("default"))) uintptr_t smf_replacement(uintptr_t function) {
  uintptr_t result = function;
  struct region region;
  if (smf_system.query(function, &region, sizeof region) == 0 || region.type != IMAGE) return function;
  smf_enter(&lock);
  for (int index = 0; index < 2 && result == function; index++) {
    if (!aborts[index]) aborts[index] = (void (*)(void))function;
    if ((uintptr_t)aborts[index] == function) result = (uintptr_t)(index == 0 ? smf_abort_first : smf_abort_second);
  }
  smf_leave(&lock);
  return result;
}
