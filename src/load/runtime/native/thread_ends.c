/*
 * The destructors of modules that run when a thread ends: those of thread-local objects, and of thread-specific data.
 */
#define _GNU_SOURCE
#include "exits.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

int __cxa_thread_atexit_impl(callback *, void *, void *);

static __thread struct object *of_this_thread;
static __thread int will_end;

void unlink_object(struct object *object) {
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
  unlock_exits();
  object->destroy(object->value);
  free(object);
  lock_exits();
  module->running--;
}

static void end_thread(void *unused) {
  (void)unused;
  will_end = 0;
  /* The main thread ends with the process, when no function of a module may run. */
  if (syscall(SYS_gettid) == getpid()) return;
  lock_exits();
  while (of_this_thread) destroy_first(of_this_thread);
  unlock_exits();
}

/* Replaces int __cxa_thread_atexit(callback *, void *, void *) and __cxa_thread_atexit_impl. */
int smf_thread_atexit(callback *destroy, void *value, void *dso) {
  lock_exits();
  struct module *module = module_at((uintptr_t)dso);
  if (!module) module = module_of((void *)destroy);
  if (module) destroy = (callback *)to_run(module, (void *)destroy);
  unlock_exits();
  if (!module) return __cxa_thread_atexit_impl(destroy, value, dso);
  struct object *object = malloc(sizeof *object);
  if (!object) return -1;
  if (!will_end && __cxa_thread_atexit_impl(end_thread, 0, &exits_lock) != 0) {
    free(object);
    return -1;
  }
  will_end = 1;
  object->module = module;
  object->destroy = destroy;
  object->value = value;
  lock_exits();
  object->older_of_thread = of_this_thread;
  object->link_of_thread = &of_this_thread;
  if (of_this_thread) of_this_thread->link_of_thread = &object->older_of_thread;
  of_this_thread = object;
  object->older_of_module = module->objects;
  object->link_of_module = &module->objects;
  if (module->objects) module->objects->link_of_module = &object->older_of_module;
  module->objects = object;
  unlock_exits();
  return 0;
}

/* Destroys the module's thread-local objects of all threads, newest first. */
void smf_end_threads(struct module *module) {
  lock_exits();
  while (module->objects) destroy_first(module->objects);
  unlock_exits();
}

/* Replaces int pthread_key_create(pthread_key_t *, callback *). */
int smf_key_create(pthread_key_t *key, callback *destroy) {
  lock_exits();
  struct module *module = destroy ? module_of((void *)destroy) : 0;
  if (module) destroy = (callback *)to_run(module, (void *)destroy);
  unlock_exits();
  if (!module) return pthread_key_create(key, destroy);
  struct key *known = malloc(sizeof *known);
  if (!known) return ENOMEM;
  int error = pthread_key_create(key, destroy);
  if (error) {
    free(known);
    return error;
  }
  known->key = *key;
  lock_exits();
  known->next = module->keys;
  module->keys = known;
  unlock_exits();
  return 0;
}

/* Replaces int pthread_key_delete(pthread_key_t). */
int smf_key_delete(pthread_key_t key) {
  struct key *found = 0;
  lock_exits();
  for (struct module *module = modules; module && !found; module = module->next) {
    struct key **link = &module->keys;
    while (*link && (*link)->key != key) link = &(*link)->next;
    found = *link;
    if (found) *link = found->next;
  }
  unlock_exits();
  free(found);
  return pthread_key_delete(key);
}

/* Replaces int tss_create(tss_t *, callback *) of C11, which has result codes of its own. */
int smf_tss_create(pthread_key_t *key, callback *destroy) {
  return smf_key_create(key, destroy) == 0 ? thrd_success : thrd_error;
}

/* Replaces void tss_delete(tss_t). */
void smf_tss_delete(pthread_key_t key) { smf_key_delete(key); }
