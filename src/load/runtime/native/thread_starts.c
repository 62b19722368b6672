/*
 * The functions that modules call in place of those that start threads. They pass the calls on; while threads are held
 * (held_threads.c), they have the new one begin in a function that waits.
 */
#define _GNU_SOURCE
#include "held_threads.h"
#include <stdlib.h>
#include <threads.h>

/* C libraries before C11 lack it. */
#pragma weak thrd_create

/* The state of an object of std::thread::_State, in libstdc++ since GCC 5: its table of virtual functions is first. */
struct cpp_state {
  const struct cpp_table *table;
};

/* The table's functions, from where such objects point to (Itanium C++ ABI, 2.5.2). */
struct cpp_table {
  void (*destroy)(struct cpp_state *);
  void (*delete)(struct cpp_state *);
  void (*run)(struct cpp_state *);
};

/* The calls are the last of these functions, so that they leave no frame between the module's and the C library's. */
static void *begin(void *argument) {
  struct held held;
  return may_go_on(argument, &held) ? held.run.posix(held.argument) : 0;
}

static int begin_c11(void *argument) {
  struct held held;
  return may_go_on(argument, &held) ? held.run.c11(held.argument) : 0;
}

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int create_c11(thrd_t *, int (*)(void *), void *);
typedef void create_cpp(void *, struct cpp_state **, void (*)(void));

static int hold_posix(
  create *next, pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument
) {
  struct held *held = enter();
  if (!held) return next(thread, attributes, run, argument);
  held->run.posix = run;
  held->argument = argument;
  int error = next(thread, attributes, begin, held);
  if (error) withdraw(held);
  return error;
}

static int hold_c11(create_c11 *next, thrd_t *thread, int (*run)(void *), void *argument) {
  struct held *held = enter();
  if (!held) return next(thread, run, argument);
  held->run.c11 = run;
  held->argument = argument;
  int result = next(thread, begin_c11, held);
  if (result != thrd_success) withdraw(held);
  return result;
}

/* The object that libstdc++ gets in place of the module's: it waits, and then does what the module's does. */
struct cpp_held {
  struct cpp_state cpp;
  struct held *held;
  /* Once it has gone on; one that has not is never destroyed, as its code may be gone. */
  struct cpp_state *inner;
};

static void destroy_cpp(struct cpp_state *state) { (void)state; }

static void delete_cpp(struct cpp_state *state) {
  struct cpp_state *inner = ((struct cpp_held *)state)->inner;
  free(state);
  if (inner) inner->table->delete(inner);
}

static void run_cpp(struct cpp_state *state) {
  struct cpp_held *own = (struct cpp_held *)state;
  struct held held;
  if (!may_go_on(own->held, &held)) return;
  own->inner = held.run.cpp;
  held.run.cpp->table->run(held.run.cpp);
}

/* In front of the functions are the offset to the whole object and the type, which nobody asks for. */
static const struct {
  uintptr_t offset;
  const void *type;
  struct cpp_table functions;
} cpp_table = {0, 0, {destroy_cpp, delete_cpp, run_cpp}};

static void hold_cpp(create_cpp *next, void *thread, struct cpp_state **state, void (*depends_on)(void)) {
  if (!is_holding()) return next(thread, state, depends_on);
  struct cpp_held *own = malloc(sizeof *own);
  struct held *held = own ? enter() : 0;
  if (!held) {
    free(own);
    return next(thread, state, depends_on);
  }
  *own = (struct cpp_held){.cpp = {&cpp_table.functions}, .held = held};
  held->run.cpp = *state;
  struct cpp_state *given = &own->cpp;
  /* Throws if there can be no thread; then the loader waits for it in vain, and the reload is refused. */
  next(thread, &given, depends_on);
  /* The thread owns both now. */
  *state = 0;
}

/* What the functions call that modules get: those of the C library, or those that reports of crashes put there. */
enum { KINDS = 3, MOST = 4 };
static uintptr_t starters[KINDS][MOST];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define FUNCTIONS(index) \
  static int posix_##index(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) { \
    return hold_posix((create *)starters[0][index], thread, attributes, run, argument); \
  } \
  static int c11_##index(thrd_t *thread, int (*run)(void *), void *argument) { \
    return hold_c11((create_c11 *)starters[1][index], thread, run, argument); \
  } \
  static void cpp_##index(void *thread, struct cpp_state **state, void (*depends_on)(void)) { \
    hold_cpp((create_cpp *)starters[2][index], thread, state, depends_on); \
  }
FUNCTIONS(0)
FUNCTIONS(1)
FUNCTIONS(2)
FUNCTIONS(3)

/*
 * Whether a function that a module imports is one that starts threads; `kind` is 0 for pthread_create, 1 for
 * thrd_create, 2 for std::thread::_M_start_thread, whose name nothing else has.
 */
int smf_starts_threads(int kind, uintptr_t function) {
  if (!function) return 0; /* a weak symbol that nobody defines */
  if (kind == 0) return function == (uintptr_t)pthread_create;
  return kind != 1 || function == (uintptr_t)thrd_create;
}

/* The function that modules call in place of such a one, or of what stands in its place already. 0 if there are too many. */
uintptr_t smf_holding(int kind, uintptr_t function) {
  static const uintptr_t functions[KINDS][MOST] = {
    {(uintptr_t)posix_0, (uintptr_t)posix_1, (uintptr_t)posix_2, (uintptr_t)posix_3},
    {(uintptr_t)c11_0, (uintptr_t)c11_1, (uintptr_t)c11_2, (uintptr_t)c11_3},
    {(uintptr_t)cpp_0, (uintptr_t)cpp_1, (uintptr_t)cpp_2, (uintptr_t)cpp_3},
  };
  uintptr_t result = 0;
  pthread_mutex_lock(&mutex);
  for (size_t index = 0; index < MOST && !result; index++) {
    if (starters[kind][index] && starters[kind][index] != function) continue;
    starters[kind][index] = function;
    result = functions[kind][index];
  }
  pthread_mutex_unlock(&mutex);
  return result;
}
