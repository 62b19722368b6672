/*
 * Keeps the functions that modules register for the end of a thread or of the
 * module, and the arguments of the program for their initialisers. The C library knows shared libraries only: it would call a module's
 * functions after the module has been freed, or not before the process ends. So
 * modules register here instead.
 *
 * This is a shared library of its own, which is never closed: the end of a
 * thread leads here, and from here to the modules that are still loaded.
 *
 * Each function that modules call has the signature of the C library's function
 * that it replaces. `dso` is the address of a module's __dso_handle, or any
 * other address in it (Itanium C++ ABI, 3.3.6).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

typedef void callback(void *);

int __cxa_atexit(callback *, void *, void *);
void __cxa_finalize(void *);
int __cxa_thread_atexit_impl(callback *, void *, void *);
/* Weak: only glibc has the first two, and no shared library of glibc has the third. */
const char *gnu_get_libc_version(void) __attribute__((weak));
int __cxa_at_quick_exit(callback *, void *) __attribute__((weak));
int at_quick_exit(void (*)(void)) __attribute__((weak));

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

/* The arguments of the program, as an initialiser takes them. */
struct arguments {
  int64_t count;
  char **values;
  char **environment;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct module *modules;
static struct quick *quicks;
static int handles_quick_exit;
/* The ends of argv and of the environment variables, which some initialisers look for behind argv. */
static char *nothing[2];
static struct arguments arguments = {0, nothing, nothing};
static __thread struct object *of_this_thread;
static __thread int will_end;

static void enter(void) { pthread_mutex_lock(&lock); }
static void leave(void) { pthread_mutex_unlock(&lock); }

/* glibc passes the arguments of the program to initialisers of libraries; other C libraries pass nothing. */
__attribute__((constructor)) static void initialise(int argc, char **argv) {
  if (!gnu_get_libc_version || argc < 0 || !argv) return;
  arguments.count = argc;
  arguments.values = argv;
}

/* The arguments for an initialiser that runs now: setenv may have moved the environment. */
const struct arguments *smf_arguments(void) {
  if (environ) arguments.environment = environ;
  return &arguments;
}

/* The module that an address is in. */
static struct module *find(uintptr_t address) {
  struct module *module = modules;
  while (module && !(address >= module->start && address < module->end)) module = module->next;
  return module;
}

/* The code of a module's function that may be given by its trampoline; null if that is not one of the module. */
static void *own_code(struct module *module, void *function) {
  size_t first = 0, end = module->trampoline_count;
  while (first < end) {
    size_t middle = first + (end - first) / 2;
    if (module->trampolines[middle].address < (uintptr_t)function) first = middle + 1;
    else end = middle;
  }
  if (first == module->trampoline_count || module->trampolines[first].address != (uintptr_t)function) return 0;
  return (void *)module->trampolines[first].code;
}

/* The module that a function is in, also if it is given by its trampoline: then the newest version. */
static struct module *find_function(void *function) {
  struct module *module = find((uintptr_t)function);
  if (module) return module;
  for (module = modules; module && !own_code(module, function);) module = module->next;
  return module;
}

/* The function to run for one that a module registers: what a version registers runs as code of that version. */
static void *to_run(struct module *module, void *function) {
  void *code = own_code(module, function);
  return code ? code : function;
}

static void unlink_object(struct object *object) {
  *object->link_of_thread = object->older_of_thread;
  if (object->older_of_thread) object->older_of_thread->link_of_thread = object->link_of_thread;
  *object->link_of_module = object->older_of_module;
  if (object->older_of_module) object->older_of_module->link_of_module = object->link_of_module;
}

/* Destroys the first object of a list. The lock is held before and after, but not during the destructor. */
static void destroy_first(struct object *object) {
  struct module *module = object->module;
  unlink_object(object);
  module->running++;
  leave();
  object->destroy(object->value);
  free(object);
  enter();
  module->running--;
}

static void end_thread(void *unused) {
  (void)unused;
  will_end = 0;
  /* The main thread ends with the process, when no function of a module may run. */
  if (syscall(SYS_gettid) == getpid()) return;
  enter();
  while (of_this_thread) destroy_first(of_this_thread);
  leave();
}

/* Replaces int __cxa_thread_atexit(callback *, void *, void *) and __cxa_thread_atexit_impl. */
int smf_thread_atexit(callback *destroy, void *value, void *dso) {
  enter();
  struct module *module = find((uintptr_t)dso);
  if (!module) module = find_function((void *)destroy);
  if (module) destroy = (callback *)to_run(module, (void *)destroy);
  leave();
  if (!module) return __cxa_thread_atexit_impl(destroy, value, dso);
  struct object *object = malloc(sizeof *object);
  if (!object) return -1;
  if (!will_end && __cxa_thread_atexit_impl(end_thread, 0, &lock) != 0) {
    free(object);
    return -1;
  }
  will_end = 1;
  object->module = module;
  object->destroy = destroy;
  object->value = value;
  enter();
  object->older_of_thread = of_this_thread;
  object->link_of_thread = &of_this_thread;
  if (of_this_thread) of_this_thread->link_of_thread = &object->older_of_thread;
  of_this_thread = object;
  object->older_of_module = module->objects;
  object->link_of_module = &module->objects;
  if (module->objects) module->objects->link_of_module = &object->older_of_module;
  module->objects = object;
  leave();
  return 0;
}

static int add_finaliser(struct module *module, struct finaliser values) {
  struct finaliser *finaliser = malloc(sizeof *finaliser);
  if (!finaliser) return -1;
  *finaliser = values;
  enter();
  finaliser->older = module->finalisers;
  module->finalisers = finaliser;
  leave();
  return 0;
}

/* Replaces int __cxa_atexit(callback *, void *, void *). */
int smf_atexit(callback *run, void *value, void *dso) {
  enter();
  struct module *module = find((uintptr_t)dso);
  if (module) run = (callback *)to_run(module, (void *)run);
  leave();
  if (!module) return __cxa_atexit(run, value, dso);
  return add_finaliser(module, (struct finaliser){.run = run, .value = value});
}

/*
 * The module that a function was registered from. The caller tells for a
 * trampoline, unless the call was the last of a function, which leaves no trace.
 * Changes the function to what is to run.
 */
static struct module *owner(void **function, void *caller) {
  enter();
  struct module *module = find((uintptr_t)*function);
  if (!module) module = find((uintptr_t)caller);
  if (!module) module = find_function(*function);
  if (module) *function = to_run(module, *function);
  leave();
  return module;
}

/* Replaces int on_exit(void (*)(int, void *), void *). The status is 0 at the end of a module. */
int smf_on_exit(void (*run)(int, void *), void *value) {
  void *function = (void *)run;
  struct module *module = owner(&function, __builtin_return_address(0));
  /* The C library would call the function after the module has been freed. */
  if (!module) return -1;
  return add_finaliser(module, (struct finaliser){.run_with = (void (*)(int, void *))function, .value = value});
}

/* Unlinks the newest entry of one module that has this function; any module or function if null. */
static struct quick *take_quick(struct module *module, callback *run) {
  struct quick **link = &quicks;
  while (*link && ((module && (*link)->module != module) || (run && (*link)->run != run))) link = &(*link)->older;
  struct quick *found = *link;
  if (found) *link = found->older;
  return found;
}

/* Runs the functions that a module, or every module if null, registered with at_quick_exit, newest first. */
static void run_quicks(struct module *module) {
  enter();
  for (struct quick *next; (next = take_quick(module, 0));) {
    leave();
    next->run(0);
    free(next);
    enter();
  }
  leave();
}

/* The C library calls it at quick_exit. */
static void quick_end(void *unused) {
  (void)unused;
  run_quicks(0);
}

/* Replaces int at_quick_exit(void (*)(void)); also __cxa_at_quick_exit, which has a second argument. */
int smf_at_quick_exit(callback *run) {
  void *function = (void *)run;
  struct module *module = owner(&function, __builtin_return_address(0));
  if (!module) return -1;
  struct quick *quick = malloc(sizeof *quick);
  if (!quick) return -1;
  enter();
  if (!handles_quick_exit) {
    if (__cxa_at_quick_exit) handles_quick_exit = __cxa_at_quick_exit(quick_end, &lock) == 0;
    else if (at_quick_exit) handles_quick_exit = at_quick_exit((void (*)(void))quick_end) == 0;
  }
  quick->module = module;
  quick->run = (callback *)function;
  quick->older = quicks;
  if (handles_quick_exit) quicks = quick;
  leave();
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
  enter();
  for (struct finaliser *next; (next = module->finalisers);) {
    module->finalisers = next->older;
    for (struct quick *same; next->run && (same = take_quick(module, next->run));) free(same);
    leave();
    if (next->is_withdrawn) (void)0;
    else if (next->run) next->run(next->value);
    else next->run_with(0, next->value);
    free(next);
    enter();
  }
  leave();
  run_quicks(module);
}

/* Replaces void __cxa_finalize(void *). Does nothing for a null pointer, which means the whole process. */
void smf_finalize(void *dso) {
  if (!dso) return;
  enter();
  struct module *module = find((uintptr_t)dso);
  leave();
  if (module) smf_run_finalisers(module);
  /* Unregisters the module's pthread_atfork handlers. */
  __cxa_finalize(dso);
}

/* Replaces int pthread_key_create(pthread_key_t *, callback *). */
int smf_key_create(pthread_key_t *key, callback *destroy) {
  enter();
  struct module *module = destroy ? find_function((void *)destroy) : 0;
  if (module) destroy = (callback *)to_run(module, (void *)destroy);
  leave();
  if (!module) return pthread_key_create(key, destroy);
  struct key *known = malloc(sizeof *known);
  if (!known) return ENOMEM;
  int error = pthread_key_create(key, destroy);
  if (error) {
    free(known);
    return error;
  }
  known->key = *key;
  enter();
  known->next = module->keys;
  module->keys = known;
  leave();
  return 0;
}

/* Replaces int pthread_key_delete(pthread_key_t). */
int smf_key_delete(pthread_key_t key) {
  struct key *found = 0;
  enter();
  for (struct module *module = modules; module && !found; module = module->next) {
    struct key **link = &module->keys;
    while (*link && (*link)->key != key) link = &(*link)->next;
    found = *link;
    if (found) *link = found->next;
  }
  leave();
  free(found);
  return pthread_key_delete(key);
}

/* Replaces int tss_create(tss_t *, callback *) of C11, which has result codes of its own. */
int smf_tss_create(pthread_key_t *key, callback *destroy) {
  return smf_key_create(key, destroy) == 0 ? thrd_success : thrd_error;
}

/* Replaces void tss_delete(tss_t). */
void smf_tss_delete(pthread_key_t key) { smf_key_delete(key); }

/* Adds a module in this range of addresses, before any of its code runs; null if memory is exhausted. */
struct module *smf_add_module(uintptr_t start, uintptr_t size) {
  struct module *module = calloc(1, sizeof *module);
  if (!module) return 0;
  module->start = start;
  module->end = start + size;
  enter();
  module->next = modules;
  modules = module;
  leave();
  return module;
}

/*
 * Says which trampolines lead to functions of this module: `count` pairs of a
 * trampoline and the function's code, in ascending order. Returns 0, or -1 if
 * memory is exhausted; then nothing has changed.
 */
int smf_set_trampolines(struct module *module, const struct trampoline *pairs, size_t count) {
  struct trampoline *copy = malloc(count * sizeof *copy + 1);
  if (!copy) return -1;
  for (size_t index = 0; index < count; index++) copy[index] = pairs[index];
  enter();
  struct trampoline *before = module->trampolines;
  module->trampolines = copy;
  module->trampoline_count = count;
  leave();
  free(before);
  return 0;
}

/* Destroys the module's thread-local objects of all threads, newest first. */
void smf_end_threads(struct module *module) {
  enter();
  while (module->objects) destroy_first(module->objects);
  leave();
}

/*
 * Removes a module with everything that it still has registered: afterwards
 * nothing here refers to it. Returns 0, or -1 if a thread is still in one of its
 * destructors after that many milliseconds; then nothing has changed.
 */
int smf_remove_module(struct module *module, unsigned milliseconds) {
  enter();
  for (; module->running; milliseconds--) {
    leave();
    if (milliseconds == 0) return -1;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, 0);
    enter();
  }
  while (module->objects) {
    struct object *object = module->objects;
    unlink_object(object);
    free(object);
  }
  for (struct quick *quick; (quick = take_quick(module, 0));) free(quick);
  struct module **link = &modules;
  while (*link != module) link = &(*link)->next;
  *link = module->next;
  leave();
  for (struct key *next, *key = module->keys; key; key = next) {
    next = key->next;
    pthread_key_delete(key->key);
    free(key);
  }
  for (struct finaliser *older, *each = module->finalisers; each; each = older) {
    older = each->older;
    free(each);
  }
  free(module->trampolines);
  free(module);
  return 0;
}

/*
 * Stores up to `room` pairs of a function that the module has registered and the
 * address that it will get, for threads and for the module's end. Returns the
 * number of all pairs.
 */
size_t smf_registered(struct module *module, uintptr_t *pairs, size_t room) {
  size_t count = 0;
  enter();
  for (struct object *each = module->objects; each; each = each->older_of_module, count++) {
    if (count >= room) continue;
    pairs[2 * count] = (uintptr_t)each->destroy;
    pairs[2 * count + 1] = (uintptr_t)each->value;
  }
  for (struct finaliser *each = module->finalisers; each; each = each->older, count++) {
    if (count >= room) continue;
    pairs[2 * count] = (uintptr_t)each->run;
    pairs[2 * count + 1] = (uintptr_t)each->value;
  }
  leave();
  return count;
}

/*
 * Says whether a function that the module has registered for its end, with this value, is left out then:
 * another version of the module has the object that is in use.
 */
void smf_withdraw(struct module *module, callback *run, void *value, int is_withdrawn) {
  enter();
  for (struct finaliser *each = module->finalisers; each; each = each->older) {
    if (each->run == run && each->value == value) each->is_withdrawn = is_withdrawn;
  }
  leave();
}
