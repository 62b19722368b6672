/* A function that is chosen when the module is loaded. */
#include <stdio.h>
static int calls;
static int plain(int x) { calls++; return x + 1; }
static int special(int x) { calls++; return x + 2; }
static int (*choose(void))(int) { return sizeof(long) == 8 ? special : plain; }
static int chosen(int x) __attribute__((ifunc("choose")));
static int (*pointer)(int) = chosen;
int main(void) {
  printf("%d %d %d\n", chosen(1), pointer(2), calls);
  return calls;
}
