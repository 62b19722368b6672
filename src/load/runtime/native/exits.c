/*
 * Keeps the modules that register functions for the end of a thread or of the
 * module, and the arguments of the program for their initialisers. The C library
 * knows shared libraries only: it would call a module's functions after the module
 * has been freed, or not before the process ends. So modules register here instead
 * (finalisers.c, thread_ends.c).
 *
 * This is a shared library of its own, which is never closed: the end of a
 * thread leads here, and from here to the modules that are still loaded.
 *
 * Each function that modules call has the signature of the C library's function
 * that it replaces. `dso` is the address of a module's __dso_handle, or any
 * other address in it (Itanium C++ ABI, 3.3.6).
 */
#define _GNU_SOURCE
#include "exits.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Weak: only glibc has it. */
const char *gnu_get_libc_version(void) __attribute__((weak));

/* The arguments of the program, as an initialiser takes them. */
struct arguments {
  int64_t count;
  char **values;
  char **environment;
};

pthread_mutex_t exits_lock = PTHREAD_MUTEX_INITIALIZER;
struct module *modules;
/* The ends of argv and of the environment variables, which some initialisers look for behind argv. */
static char *nothing[2];
static struct arguments arguments = {0, nothing, nothing};

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

struct module *module_at(uintptr_t address) {
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

struct module *module_of(void *function) {
  struct module *module = module_at((uintptr_t)function);
  if (module) return module;
  for (module = modules; module && !own_code(module, function);) module = module->next;
  return module;
}

void *to_run(struct module *module, void *function) {
  void *code = own_code(module, function);
  return code ? code : function;
}

struct module *owner_of(void **function, void *caller) {
  lock_exits();
  struct module *module = module_at((uintptr_t)*function);
  if (!module) module = module_at((uintptr_t)caller);
  if (!module) module = module_of(*function);
  if (module) *function = to_run(module, *function);
  unlock_exits();
  return module;
}

/* Adds a module in this range of addresses, before any of its code runs; null if memory is exhausted. */
struct module *smf_add_module(uintptr_t start, uintptr_t size) {
  struct module *module = calloc(1, sizeof *module);
  if (!module) return 0;
  module->start = start;
  module->end = start + size;
  lock_exits();
  module->next = modules;
  modules = module;
  unlock_exits();
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
  lock_exits();
  struct trampoline *before = module->trampolines;
  module->trampolines = copy;
  module->trampoline_count = count;
  unlock_exits();
  free(before);
  return 0;
}

/*
 * Removes a module with everything that it still has registered: afterwards
 * nothing here refers to it. Returns 0, or -1 if a thread is still in one of its
 * destructors after that many milliseconds; then nothing has changed.
 */
int smf_remove_module(struct module *module, unsigned milliseconds) {
  lock_exits();
  for (; module->running; milliseconds--) {
    unlock_exits();
    if (milliseconds == 0) return -1;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, 0);
    lock_exits();
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
  unlock_exits();
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
  lock_exits();
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
  unlock_exits();
  return count;
}

/*
 * Says whether a function that the module has registered for its end, with this value, is left out then:
 * another version of the module has the object that is in use.
 */
void smf_withdraw(struct module *module, callback *run, void *value, int is_withdrawn) {
  lock_exits();
  for (struct finaliser *each = module->finalisers; each; each = each->older) {
    if (each->run == run && each->value == value) each->is_withdrawn = is_withdrawn;
  }
  unlock_exits();
}
