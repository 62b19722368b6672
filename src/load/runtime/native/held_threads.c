/*
 * Holds the threads that the initialisers of a module's next version start, until the version's code is aimed at the
 * variables that stay: a new thread waits here, in front of the module's own code, and later the loader says of each
 * whether it goes on, or ends without having run anything of the module.
 *
 * An initialiser that waits for its thread would wait for ever: after a while such threads go on by themselves, and
 * the loader hears of it.
 */
#define _GNU_SOURCE
#include "held_threads.h"
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long a thread waits while initialisers run, and the loader for a thread to arrive, in milliseconds. */
enum { PATIENCE = 500 };

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

int is_holding(void) { return current != 0; }

struct held *enter(void) {
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

void withdraw(struct held *held) {
  struct hold *hold = held->hold;
  pthread_mutex_lock(&hold->mutex);
  struct held **link = &hold->threads;
  while (*link != held) link = &(*link)->older;
  *link = held->older;
  hold->count--;
  leave(hold);
  free(held);
}

int may_go_on(struct held *held, struct held *copy) {
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
