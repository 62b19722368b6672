/* Computed goto by distances between labels, which need no relocation. */
#include <stdio.h>
static unsigned steps;
__attribute__((noinline)) static int walk(int n) {
  static const int table[] = { &&even - &&even, &&odd - &&even, &&end - &&even };
  int sum = 0;
next:
  steps++;
  if (n <= 0) goto *(&&even + table[2]);
  goto *(&&even + table[n & 1]);
even: sum += n; n -= 3; goto next;
odd: sum -= n; n -= 1; goto next;
end: return sum;
}
int main(void) {
  int first = walk(50), second = walk(17);
  printf("%d %d %u\n", first, second, steps);
  return (int)(steps & 63);
}
