/*
 * What modules register for the end of a thread or of the module, as the functions that register, run and remove it
 * see it. One lock guards all of it.
 */
#include <pthread.h>
#include <stdint.h>

typedef void callback(void *);

/* A thread-local object with a destructor, in the lists of its thread and of its module, newest first. */
struct object {
  struct object *older_of_thread, **link_of_thread;
  struct object *older_of_module, **link_of_module;
  struct module *module;
  callback *destroy;
  void *value;
};

/* A function that runs when the module ends: run(value), or on_exit's run_with(0, value). */
struct finaliser {
  struct finaliser *older;
  callback *run;
  void (*run_with)(int, void *);
  void *value;
  /* Whether it does not run: nobody uses its object. */
  int is_withdrawn;
};

/* A function that runs when a module calls quick_exit, or else when the module that registered it ends. */
struct quick {
  struct quick *older;
  struct module *module;
  callback *run;
};

/* A key of thread-specific data whose destructor is in the module. */
struct key {
  struct key *next;
  pthread_key_t key;
};

/*
 * A function as its module and all others see it, and its code in this version
 * of the module: the trampoline may lead to another version when the module ends.
 */
struct trampoline {
  uintptr_t address, code;
};

struct module {
  struct module *next;
  uintptr_t start, end;
  /* In ascending order of their addresses. */
  struct trampoline *trampolines;
  size_t trampoline_count;
  struct object *objects;
  struct finaliser *finalisers;
  struct key *keys;
  /* Counts the destructors that run now, in other threads. */
  unsigned running;
};

/* All modules that are loaded. */
__attribute__((visibility("hidden"))) extern struct module *modules;

__attribute__((visibility("hidden"))) extern pthread_mutex_t exits_lock;

static inline void lock_exits(void) { pthread_mutex_lock(&exits_lock); }
static inline void unlock_exits(void) { pthread_mutex_unlock(&exits_lock); }

/* The functions below are called with the lock held, but for owner_of(), which takes it. */

/* The module that an address is in. */
__attribute__((visibility("hidden"))) struct module *module_at(uintptr_t address);

/* The module that a function is in, also if it is given by its trampoline: then the newest version. */
__attribute__((visibility("hidden"))) struct module *module_of(void *function);

/* The function to run for one that a module registers: what a version registers runs as code of that version. */
__attribute__((visibility("hidden"))) void *to_run(struct module *module, void *function);

/*
 * The module that a function was registered from. The caller tells for a
 * trampoline, unless the call was the last of a function, which leaves no trace.
 * Changes the function to what is to run.
 */
__attribute__((visibility("hidden"))) struct module *owner_of(void **function, void *caller);

/* Takes an object out of the lists of its thread and of its module. */
__attribute__((visibility("hidden"))) void unlink_object(struct object *object);

/* Unlinks the newest entry of one module that has this function; any module or function if null. */
__attribute__((visibility("hidden"))) struct quick *take_quick(struct module *module, callback *run);
