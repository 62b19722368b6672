/* Code for fixed addresses: it holds addresses of functions and variables in every way that C has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;
extern int missing(void) __attribute__((weak));

int table[8] = {3, 1, 4, 1, 5, 9, 2, 6};
static int hidden[4] = {10, 20, 30, 40};
int counter;
static const char *const names[] = {"zero", "one", "two"};

int compare(const void *a, const void *b) {
  counter++;
  return *(const int *)a - *(const int *)b;
}

static int reversed(const void *a, const void *b) { return *(const int *)b - *(const int *)a; }

static int sorted(int at, int (*order)(const void *, const void *)) {
  int copy[8];
  memcpy(copy, table, sizeof copy);
  qsort(copy, 8, sizeof(int), order);
  return copy[at];
}

int ascending(int at) { return sorted(at, compare); }
int descending(int at) { return sorted(at, reversed); }
int indexed(int at) { return table[at & 7] + hidden[at & 3] + (int)strlen(names[at % 3]); }

int chosen(int number) {
  switch (number) {
    case 0: return table[0];
    case 1: return 17;
    case 2: return counter * 0;
    case 3: return hidden[3];
    case 4: return 99;
    case 5: return (int)strlen(names[1]);
    case 6: return -4;
    default: return -1;
  }
}

struct hooks {
  void *(*allocate)(size_t);
  void (*release)(void *);
  int (*order)(const void *, const void *);
};
struct hooks hooks;
void (*volatile kept)(void *) = free;

__attribute__((noinline)) static void fill(struct hooks *to) {
  to->allocate = malloc;
  to->release = free;
  to->order = compare;
}

__attribute__((noinline)) static int same(struct hooks *of) {
  return (of->release == free) | (of->order == compare) << 1 | (kept == free) << 2;
}

/* Addresses in memory that a register, the stack pointer or nothing leads to. */
int stored(void) {
  volatile struct hooks local;
  struct hooks *heap = malloc(sizeof *heap);
  local.release = free;
  local.order = compare;
  fill(heap);
  hooks.allocate = malloc;
  hooks.release = free;
  hooks.order = compare;
  int result = same(heap) | same(&hooks) << 3 | (local.release == free) << 6 | (local.order == compare) << 7;
  heap->release(heap);
  return result;
}

void *address_of_compare(void) { return (void *)compare; }
void *address_of_free(void) { return (void *)free; }
void *address_of_environ(void) { return &environ; }
int is_free(void *function) { return function == (void *)free; }
int has_missing(void) { return missing != 0; }

/* Variables of the C library: read, written, compared. */
int standard_error(void) { return fileno(stderr); }
int has_environment(void) { return environ != 0 && environ[0] != 0; }
int replaced(void) {
  FILE *before = stdout;
  stdout = stderr;
  int is_replaced = stdout == stderr && fileno(stdout) == 2;
  stdout = before;
  return is_replaced && stdout != stderr;
}
