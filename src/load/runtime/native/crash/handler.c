/*
 * Handles the signals of crashes: survives a crash behind a guard, writes a report if
 * code of a module is on the stack, and leaves everything else to whoever handled the signal before.
 */
#include "guard.h"
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
enum { COUNT = sizeof signals / sizeof *signals };
/* Bytes of the kernel's signal mask, and what its rt_sigprocmask does with one. */
enum { MASK_SIZE = 8 };

/* The handlers of before, by signal. */
static struct sigaction before[32];
/* This file's own, by signal. */
static struct sigaction installed[32];
static int install_lock, is_installed;

/* A stack for both: the alternate stack of a thread has room for little more than the signal itself. */
static char stack[64 << 10] __attribute__((aligned(16)));
/* The thread that decides, or has written a report; 0 while there is none. */
static int reporter;

struct crash {
  int number;
  const siginfo_t *info;
  void *context;
  int is_survived, is_reported;
};

static void on_signal(int number, siginfo_t *info, void *context);

static uintptr_t pc_of(void *context) {
#if defined(__x86_64__)
  return (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#else
  return ((ucontext_t *)context)->uc_mcontext.pc;
#endif
}

static void decide(void *argument) {
  struct crash *crash = argument;
  if (smf_has_guards() && smf_survive(crash->number, crash->info, crash->context)) {
    crash->is_survived = 1;
    return;
  }
  if (!smf_has_module_frame(crash->context)) return;
  smf_write_report(crash->number, crash->info, crash->context);
  crash->is_reported = 1;
}

/* How often, and for how many nanoseconds each time, another thread's crash is waited for. */
enum { TURNS = 10000, TURN = 200000 };

/*
 * Runs a function on the stack for handlers, while no other thread does. `is_reported` says
 * whether it wrote a report: then nobody runs anything here any more, because the process ends. Returns whether the function ran.
 */
int smf_run_alone(void (*run)(void *), void *argument, const int *is_reported) {
  int thread = (int)smf_call(SYS_gettid, 0, 0, 0, 0), owner = 0;
  for (int turn = 0; !__atomic_compare_exchange_n(&reporter, &owner, thread, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
       turn++, owner = 0) {
    /* Another thread has crashed, too: its report comes whole, and then the process ends. */
    if (owner == thread || turn == TURNS) return 0;
    smf_call(SYS_nanosleep, (long)&(struct timespec){.tv_nsec = TURN}, 0, 0, 0);
  }
  uint64_t all = ~0ull, mask = 0;
  smf_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&mask, MASK_SIZE);
  __atomic_fetch_add(&smf_readers, 1, __ATOMIC_SEQ_CST);
  smf_run_on(stack + sizeof stack, run, argument);
  if (!*is_reported) {
    __atomic_fetch_sub(&smf_readers, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&reporter, 0, __ATOMIC_SEQ_CST);
  }
  smf_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, MASK_SIZE);
  return 1;
}

/*
 * Survives the crash if it can be; else writes a report if code of a module is on the
 * stack, once in a process: it ends afterwards. Returns whether the thread goes on.
 */
static int survive_or_report(int number, const siginfo_t *info, void *context) {
  struct crash crash = {number, info, context, 0, 0};
  return smf_run_alone(decide, &crash, &crash.is_reported) && crash.is_survived;
}

/* Whether this file's handler is the one that the system calls. */
static int is_current(int number) {
  struct sigaction now;
  return sigaction(number, 0, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_signal;
}

/* Ends the process by the signal, as if nobody had handled it: with the registers of the crash, for core files. */
static void end(int number, const siginfo_t *info) {
  int is_sent = info->si_code <= 0;
  /* A handler that was installed later passes on signals that it has handled, too. */
  if (is_sent && !is_current(number)) return;
  struct sigaction fallback = {0};
  fallback.sa_handler = SIG_DFL;
  sigaction(number, &fallback, 0);
  /* An instruction that failed fails again when the handler returns. Everything else is sent again. */
  if (!is_sent && number != SIGTRAP) return;
  uint64_t mask = 1ull << (number - 1);
  smf_call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&mask, 0, MASK_SIZE);
  smf_call(SYS_tgkill, smf_call(SYS_getpid, 0, 0, 0, 0), smf_call(SYS_gettid, 0, 0, 0, 0), number, 0);
}

/*
 * Whether the report comes before the handler of before is called: it cannot be
 * meant for that handler. Engines handle faults in code that they have made, and
 * the program's own handler is for its own code; any other may be for all code.
 */
static int reports_first(const struct sigaction *old, const siginfo_t *info, uintptr_t pc) {
  struct library library;
  int is_default = !(old->sa_flags & SA_SIGINFO) && (old->sa_handler == SIG_DFL || old->sa_handler == SIG_IGN);
  if (is_default) return 1;
  if (!smf_library_at((uintptr_t)old->sa_sigaction, &library) || !smf_is_program(&library)) return 0;
  if (smf_module_at(pc) || (uintptr_t)info->si_addr == pc) return 1;
  return smf_library_at(pc, &library) && !smf_is_program(&library);
}

static void on_signal(int number, siginfo_t *info, void *context) {
  const struct sigaction *old = &before[number];
  int is_sent = info->si_code <= 0;
  if (!(old->sa_flags & SA_SIGINFO) && old->sa_handler == SIG_IGN && is_sent) return;
  if (reports_first(old, info, pc_of(context))) {
    if (survive_or_report(number, info, context)) return;
    if (old->sa_flags & SA_SIGINFO) old->sa_sigaction(number, info, context);
    else if (old->sa_handler == SIG_DFL || old->sa_handler == SIG_IGN) end(number, info);
    else old->sa_handler(number);
    return;
  }
  uintptr_t pc = pc_of(context);
  int was_current = is_current(number);
  if (old->sa_flags & SA_SIGINFO) old->sa_sigaction(number, info, context);
  else old->sa_handler(number);
  /* A handler that gives up makes another one handle the signal, and returns to the same instruction. */
  if (pc_of(context) != pc || !was_current || is_current(number)) return;
  /* The thread goes on, and crashes once more: this handler is wanted again. */
  if (survive_or_report(number, info, context)) sigaction(number, &installed[number], 0);
}

/* Installs the handlers, once. Returns −1 if the system refuses them. */
int smf_install(void) {
  if (__atomic_load_n(&is_installed, __ATOMIC_ACQUIRE)) return 0;
  smf_enter(&install_lock);
  int failed = 0;
  for (int index = 0; index < COUNT && !is_installed && !failed; index++) {
    int number = signals[index];
    if (sigaction(number, 0, &before[number])) failed = -1;
    /* The mask and the nesting are those that the handler of before expects. */
    struct sigaction ours = {.sa_mask = before[number].sa_mask};
    ours.sa_sigaction = on_signal;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (before[number].sa_flags & SA_NODEFER);
    installed[number] = ours;
    if (!failed && sigaction(number, &ours, 0)) failed = -1;
  }
  if (!failed) __atomic_store_n(&is_installed, 1, __ATOMIC_RELEASE);
  smf_leave(&install_lock);
  return failed;
}
