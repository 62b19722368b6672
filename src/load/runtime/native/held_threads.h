/*
 * Threads that are held in front of a module's own code, as the functions that start them see them.
 */
#include <pthread.h>
#include <stdint.h>

struct cpp_state;

/* A thread that is held. */
struct held {
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

/* Whether threads that this one starts are held. */
__attribute__((visibility("hidden"))) int is_holding(void);

/* Enters a thread that is about to start; NULL if none is held, or without memory. */
__attribute__((visibility("hidden"))) struct held *enter(void);

/* Takes a thread back that could not be started. */
__attribute__((visibility("hidden"))) void withdraw(struct held *);

/* Waits until a thread may go on. Returns whether it does; then `copy` has what was held, which may be gone. */
__attribute__((visibility("hidden"))) int may_go_on(struct held *, struct held *copy);
