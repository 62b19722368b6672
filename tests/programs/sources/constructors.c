/* Constructors and destructors with priorities; variables that only constructors set. */
#include <stdio.h>
static int order;
static int ready;
__attribute__((constructor(300))) static void late(void) { order = order * 10 + 3; }
__attribute__((constructor(200))) static void early(void) { order = order * 10 + 2; }
__attribute__((constructor)) static void last(void) { order = order * 10 + 9; ready = 1; }
__attribute__((destructor)) static void leave(void) { order = -1; }
int main(void) {
  printf("%d %d\n", order, ready);
  return ready;
}
