/*
 * Holds the threads that the initialisers of a module's next version start, until the version's code is aimed at the
 * variables that stay. The module calls the functions here in place of those that start threads. While its
 * initialisers run on a thread that holds, a new thread waits here, in front of the module's own code; later the
 * loader says of each whether it goes on, or ends without having run anything of the module.
 *
 * An initialiser that waits for its thread would wait for ever: after a while such threads go on by themselves, and
 * the loader hears of it.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* C libraries before C11 lack it. */
#pragma weak thrd_create

/* How long a thread waits while initialisers run, and the loader for a thread to arrive, in milliseconds. */
enum { PATIENCE = 500 };

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

/* A thread that is held. */
struct held {
  struct cpp_state cpp;
  struct hold *hold;
  struct held *older;
  union {
    void *(*posix)(void *);
    int (*c11)(void *);
    struct cpp_state *cpp;
  } run;
  void *argument;
  /* Once it has arrived: what the module calls it by, and its number in the kernel. */
  pthread_t self;
  int64_t number;
  int goes_on;
};

/* The threads of one version's initialisers. Whoever lets go of it last frees it: the loader or one of the threads. */
struct hold {
  pthread_mutex_t mutex;
  /* Counts up when anything changes that others wait for: a futex, because a condition variable has two ABIs in glibc. */
  uint32_t changes;
  struct held *threads;
  size_t count, arrived, owners;
  enum { STARTING, WAITING, DECIDED, OVERDUE } state;
};

/* The hold of this thread, while initialisers run on it. */
static _Thread_local struct hold *current;

/* The time in milliseconds. */
static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* Says that something has changed. */
static void tell(struct hold *hold) {
  hold->changes++;
  syscall(SYS_futex, &hold->changes, FUTEX_WAKE_PRIVATE, INT_MAX, 0, 0, 0);
}

/* Waits for a change of a hold, whose mutex is locked, until a time or for ever (0). Returns whether that has passed. */
static int wait_for_change(struct hold *hold, int64_t end) {
  int64_t left = end - now();
  if (end && left <= 0) return 1;
  struct timespec time = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
  uint32_t seen = hold->changes;
  pthread_mutex_unlock(&hold->mutex);
  syscall(SYS_futex, &hold->changes, FUTEX_WAIT_PRIVATE, seen, end ? &time : 0, 0, 0);
  pthread_mutex_lock(&hold->mutex);
  return 0;
}

/* Lets go of a hold, whose mutex is locked. */
static void leave(struct hold *hold) {
  int is_last = --hold->owners == 0;
  pthread_mutex_unlock(&hold->mutex);
  if (!is_last) return;
  for (struct held *held = hold->threads, *older; held; held = older) {
    older = held->older;
    free(held);
  }
  pthread_mutex_destroy(&hold->mutex);
  free(hold);
}

/* Enters a thread that is about to start; NULL if none is held, or without memory. */
static struct held *enter(void) {
  struct held *held = current ? calloc(1, sizeof *held) : 0;
  if (!held) return 0;
  struct hold *hold = held->hold = current;
  pthread_mutex_lock(&hold->mutex);
  held->older = hold->threads;
  hold->threads = held;
  hold->count++;
  hold->owners++;
  pthread_mutex_unlock(&hold->mutex);
  return held;
}

/* Takes a thread back that could not be started. */
static void withdraw(struct held *held) {
  struct hold *hold = held->hold;
  pthread_mutex_lock(&hold->mutex);
  struct held **link = &hold->threads;
  while (*link != held) link = &(*link)->older;
  *link = held->older;
  hold->count--;
  leave(hold);
  free(held);
}

/* Waits until a thread may go on. Returns whether it does; then `copy` has what was held, which may be gone. */
static int may_go_on(struct held *held, struct held *copy) {
  struct hold *hold = held->hold;
  int64_t end = now() + PATIENCE;
  pthread_mutex_lock(&hold->mutex);
  held->self = pthread_self();
  held->number = syscall(SYS_gettid);
  hold->arrived++;
  tell(hold);
  while (hold->state == STARTING) {
    if (!wait_for_change(hold, end)) continue;
    hold->state = OVERDUE;
    tell(hold);
  }
  while (hold->state == WAITING) wait_for_change(hold, 0);
  int goes_on = hold->state == OVERDUE || held->goes_on;
  *copy = *held;
  /* Nobody joins a thread of an object that nobody uses. */
  if (!goes_on) pthread_detach(held->self);
  leave(hold);
  return goes_on;
}

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
  if (!current) return next(thread, state, depends_on);
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
  if (kind == 0) return function == (uintptr_t)pthread_create;
  return kind == 1 ? function && function == (uintptr_t)thrd_create : 1;
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

/* Begins to hold the threads that this one starts. NULL without memory. */
struct hold *smf_hold_begin(void) {
  struct hold *hold = calloc(1, sizeof *hold);
  if (!hold) return 0;
  pthread_mutex_init(&hold->mutex, 0);
  hold->owners = 1;
  return current = hold;
}

/* Ends it: threads that this one starts from now on are not held. Returns how many are, −1 if some have gone on. */
int64_t smf_hold_end(struct hold *hold) {
  current = 0;
  int64_t end = now() + PATIENCE;
  pthread_mutex_lock(&hold->mutex);
  while (hold->state == STARTING && hold->arrived < hold->count) {
    if (wait_for_change(hold, end)) hold->state = OVERDUE;
  }
  if (hold->state == STARTING) hold->state = WAITING;
  int64_t result = hold->state == OVERDUE ? -1 : (int64_t)hold->count;
  tell(hold);
  pthread_mutex_unlock(&hold->mutex);
  return result;
}

/* Tells of each thread that is held what the module calls it by, and its number in the kernel. */
void smf_hold_tell(struct hold *hold, int64_t (*threads)[2]) {
  pthread_mutex_lock(&hold->mutex);
  for (struct held *held = hold->threads; held; held = held->older, threads++) {
    (*threads)[0] = (int64_t)(uintptr_t)held->self;
    (*threads)[1] = held->number;
  }
  pthread_mutex_unlock(&hold->mutex);
}

/* Says of each thread, in the order in which it was told of, whether it goes on; NULL: none does. Frees the hold. */
void smf_hold_decide(struct hold *hold, const uint8_t *go_on) {
  pthread_mutex_lock(&hold->mutex);
  for (struct held *held = hold->threads; go_on && held; held = held->older) held->goes_on = *go_on++;
  if (hold->state != OVERDUE) hold->state = DECIDED;
  tell(hold);
  leave(hold);
}
