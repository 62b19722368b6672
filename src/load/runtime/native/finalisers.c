/*
 * The functions that modules register for their end, and those for quick_exit, which run then, too.
 */
#define _GNU_SOURCE
#include "exits.h"
#include <stdlib.h>

int __cxa_atexit(callback *, void *, void *);
void __cxa_finalize(void *);
/* Weak: only glibc has the first, and no shared library of glibc has the second. */
int __cxa_at_quick_exit(callback *, void *) __attribute__((weak));
int at_quick_exit(void (*)(void)) __attribute__((weak));

static struct quick *quicks;
static int handles_quick_exit;

static int add_finaliser(struct module *module, struct finaliser values) {
  struct finaliser *finaliser = malloc(sizeof *finaliser);
  if (!finaliser) return -1;
  *finaliser = values;
  lock_exits();
  finaliser->older = module->finalisers;
  module->finalisers = finaliser;
  unlock_exits();
  return 0;
}

/* Replaces int __cxa_atexit(callback *, void *, void *). */
int smf_atexit(callback *run, void *value, void *dso) {
  lock_exits();
  struct module *module = module_at((uintptr_t)dso);
  if (module) run = (callback *)to_run(module, (void *)run);
  unlock_exits();
  if (!module) return __cxa_atexit(run, value, dso);
  return add_finaliser(module, (struct finaliser){.run = run, .value = value});
}

/* Replaces int on_exit(void (*)(int, void *), void *). The status is 0 at the end of a module. */
int smf_on_exit(void (*run)(int, void *), void *value) {
  void *function = (void *)run;
  struct module *module = owner_of(&function, __builtin_return_address(0));
  /* The C library would call the function after the module has been freed. */
  if (!module) return -1;
  return add_finaliser(module, (struct finaliser){.run_with = (void (*)(int, void *))function, .value = value});
}

struct quick *take_quick(struct module *module, callback *run) {
  struct quick **link = &quicks;
  while (*link && ((module && (*link)->module != module) || (run && (*link)->run != run))) link = &(*link)->older;
  struct quick *found = *link;
  if (found) *link = found->older;
  return found;
}

/* Runs the functions that a module, or every module if null, registered with at_quick_exit, newest first. */
static void run_quicks(struct module *module) {
  lock_exits();
  for (struct quick *next; (next = take_quick(module, 0));) {
    unlock_exits();
    next->run(0);
    free(next);
    lock_exits();
  }
  unlock_exits();
}

/* The C library calls it at quick_exit. */
static void quick_end(void *unused) {
  (void)unused;
  run_quicks(0);
}

/* Replaces int at_quick_exit(void (*)(void)); also __cxa_at_quick_exit, which has a second argument. */
int smf_at_quick_exit(callback *run) {
  void *function = (void *)run;
  struct module *module = owner_of(&function, __builtin_return_address(0));
  if (!module) return -1;
  struct quick *quick = malloc(sizeof *quick);
  if (!quick) return -1;
  lock_exits();
  if (!handles_quick_exit) {
    if (__cxa_at_quick_exit) handles_quick_exit = __cxa_at_quick_exit(quick_end, &exits_lock) == 0;
    else if (at_quick_exit) handles_quick_exit = at_quick_exit((void (*)(void))quick_end) == 0;
  }
  quick->module = module;
  quick->run = (callback *)function;
  quick->older = quicks;
  if (handles_quick_exit) quicks = quick;
  unlock_exits();
  if (handles_quick_exit) return 0;
  free(quick);
  return -1;
}

/* Replaces void quick_exit(int). */
_Noreturn void smf_quick_exit(int status) { quick_exit(status); }

/*
 * Runs the registered functions and those that they register, newest first; then
 * those for quick_exit, except functions that have run: programs register one
 * function for both ends.
 */
void smf_run_finalisers(struct module *module) {
  lock_exits();
  for (struct finaliser *next; (next = module->finalisers);) {
    module->finalisers = next->older;
    for (struct quick *same; next->run && (same = take_quick(module, next->run));) free(same);
    unlock_exits();
    if (next->is_withdrawn) (void)0;
    else if (next->run) next->run(next->value);
    else next->run_with(0, next->value);
    free(next);
    lock_exits();
  }
  unlock_exits();
  run_quicks(module);
}

/* Replaces void __cxa_finalize(void *). Does nothing for a null pointer, which means the whole process. */
void smf_finalize(void *dso) {
  if (!dso) return;
  lock_exits();
  struct module *module = module_at((uintptr_t)dso);
  unlock_exits();
  if (module) smf_run_finalisers(module);
  /* Unregisters the module's pthread_atfork handlers. */
  __cxa_finalize(dso);
}
