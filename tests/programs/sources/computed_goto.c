/* Computed goto: an interpreter whose table of labels is constant. */
#include <stdio.h>
static int runs;
__attribute__((noinline)) static long run(const unsigned char *code) {
  static const void *const table[] = { &&push, &&add, &&times, &&dup, &&loop, &&stop };
  long stack[8], *top = stack, rounds = 3;
  const unsigned char *at = code;
  goto *table[*at++];
push: *top++ = *at++; goto *table[*at++];
add: top--; top[-1] += *top; goto *table[*at++];
times: top--; top[-1] *= *top; goto *table[*at++];
dup: *top = top[-1]; top++; goto *table[*at++];
loop: at = --rounds > 0 ? code + at[0] : at + 1; goto *table[*at++];
stop: runs++; return top[-1];
}
int main(void) {
  static const unsigned char code[] = { 0, 2, 0, 3, 1, 3, 2, 4, 2, 5 };
  printf("%ld %d\n", run(code), runs);
  return runs;
}
