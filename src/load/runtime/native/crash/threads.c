/*
 * Threads that modules start get an alternate stack, as the threads of Deno have
 * one: without it no handler can run when a thread's stack overflows.
 */
#include "crash.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <threads.h>

/* C libraries before C11 lack it. */
#pragma weak thrd_create

/* Room for the registers of any processor and what handlers need; below it is a page that nobody can touch. */
enum { SIZE = 64 << 10, GUARD = 64 << 10 };

struct start {
  union {
    void *(*posix)(void *);
    int (*c11)(void *);
  } run;
  void *argument;
};

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int has_key;

/* Gives an alternate stack back when its thread ends. */
static void drop(void *memory) {
  sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, 0);
  munmap(memory, GUARD + SIZE);
}

static void make_key(void) { has_key = pthread_key_create(&key, drop) == 0; }

/* Gives this thread an alternate stack, unless it has one. Without memory it goes without. */
static void give_stack(void) {
  stack_t now;
  pthread_once(&once, make_key);
  if (!has_key || sigaltstack(0, &now) || !(now.ss_flags & SS_DISABLE)) return;
  char *memory = mmap(0, GUARD + SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  mprotect(memory, GUARD, PROT_NONE);
  stack_t given = {.ss_sp = memory + GUARD, .ss_size = SIZE};
  if (pthread_setspecific(key, memory) || sigaltstack(&given, 0)) munmap(memory, GUARD + SIZE);
}

/* Clears what the calls above have left on the stack: a report that searches it would take that for frames. */
__attribute__((noinline)) static void clear_stack(void) {
  volatile char used[2048];
  for (size_t index = 0; index < sizeof used; index++) used[index] = 0;
}

/* The calls are the last of these functions, so that they leave no frame between the module's and the C library's. */
static void *begin(void *argument) {
  struct start start = *(struct start *)argument;
  free(argument);
  give_stack();
  clear_stack();
  return start.run.posix(start.argument);
}

static int begin_c11(void *argument) {
  struct start start = *(struct start *)argument;
  free(argument);
  give_stack();
  clear_stack();
  return start.run.c11(start.argument);
}

static int create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  struct start *start = malloc(sizeof *start);
  if (!start) return pthread_create(thread, attributes, run, argument);
  start->run.posix = run;
  start->argument = argument;
  int error = pthread_create(thread, attributes, begin, start);
  if (error) free(start);
  return error;
}

static int create_c11(thrd_t *thread, int (*run)(void *), void *argument) {
  struct start *start = malloc(sizeof *start);
  if (!start) return thrd_create(thread, run, argument);
  start->run.c11 = run;
  start->argument = argument;
  int result = thrd_create(thread, begin_c11, start);
  if (result != thrd_success) free(start);
  return result;
}

/* The function that modules call in place of one of the C library's that starts threads; the same one for any other. */
__attribute__((visibility("default"))) uintptr_t smf_replacement(uintptr_t function) {
  if (function == (uintptr_t)pthread_create) return (uintptr_t)create;
  if (function && function == (uintptr_t)thrd_create) return (uintptr_t)create_c11;
  return function;
}
