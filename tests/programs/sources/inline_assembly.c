/* Inline assembly that refers to variables and to a function by name. */
#include <stdio.h>
static int kept = 4;
__attribute__((used, noinline)) static int triple(int x) { return x * 3; }
int main(void) {
  int sum = 1;
#ifdef __x86_64__
  __asm__("addl %1, %0" : "+r"(sum) : "m"(kept));
  __asm__("addl $1, kept(%%rip)" : "+m"(kept) : : "cc");
#else
  sum += kept;
  kept++;
#endif
  printf("%d %d %d\n", sum, kept, triple(kept));
  return sum;
}
