/* Static locals: one for each function, of the same name in several. */
#include <stdio.h>
__attribute__((noinline)) static int counter(int by) { static int n = 100; return n += by; }
__attribute__((noinline)) static int other(void) { static int n; static long history[4]; history[n & 3] += n; return ++n + (int)history[1]; }
__attribute__((noinline)) static int nested(int x) { if (x > 1) { static int n = 7; return n++; } else { static int m = 70; return m--; } }
int main(void) {
  int a = counter(1), b = counter(2), c = other(), d = other(), e = nested(2), f = nested(1);
  printf("%d %d %d %d %d %d\n", a, b, c, d, e, f);
  return c + d;
}
