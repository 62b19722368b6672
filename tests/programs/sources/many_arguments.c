/* More arguments than registers, of mixed kinds, also through pointers. */
#include <stdio.h>
static double weight = 1;
__attribute__((noinline)) static double all(int a, double b, long c, float d, char e, double f, short g, double h, int i,
    double j, long k, double l, unsigned m, double n, int o, double p, const char *q, double r, int s, double t) {
  return a + 2 * b + 3 * (double)c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * (double)k + 12 * l +
    13 * m + 14 * n + 15 * o + 16 * p + 17 * q[0] + 18 * r + 19 * s + 20 * t;
}
int main(void) {
  double (*volatile pointer)(int, double, long, float, char, double, short, double, int, double, long, double, unsigned,
    double, int, double, const char *, double, int, double) = all;
  double value = pointer(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, "q", 18, 19, 20 * weight);
  weight += 0.5;
  printf("%.3f %g\n", value, weight);
  return 3;
}
