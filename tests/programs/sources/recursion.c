/* Recursion without setjmp: deep, mutual, and with arrays on the stack. */
#include <stdio.h>
static unsigned long memo[64];
static unsigned deepest;
static int odd(unsigned n);
__attribute__((noinline)) static int even(unsigned n) { return n == 0 || odd(n - 1); }
__attribute__((noinline)) static int odd(unsigned n) { return n != 0 && even(n - 1); }
static unsigned long fibonacci(int n) {
  if (n < 2) return (unsigned long)n;
  return memo[n] ? memo[n] : (memo[n] = fibonacci(n - 1) + fibonacci(n - 2));
}
static unsigned ackermann(unsigned m, unsigned n, unsigned depth) {
  if (depth > deepest) deepest = depth;
  return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1, depth + 1) : ackermann(m - 1, ackermann(m, n - 1, depth + 1), depth + 1);
}
static void hanoi(int n, int *moves, int from, int to, int other) {
  if (n == 0) return;
  hanoi(n - 1, moves, from, other, to);
  (*moves) += from * 3 + to;
  hanoi(n - 1, moves, other, to, from);
}
int main(void) {
  int moves = 0;
  hanoi(10, &moves, 0, 2, 1);
  printf("%d %lu %u %d %u\n", even(1001), fibonacci(60), ackermann(2, 7, 0), moves, deepest);
  return moves & 255;
}
