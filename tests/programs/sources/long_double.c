/* Extended precision, in x87 registers where there are some. */
#include <math.h>
#include <stdio.h>
static long double total = 1.0L;
static long double polynomial(long double x, int degree) {
  return degree == 0 ? 1.0L : polynomial(x, degree - 1) * x + degree;
}
int main(void) {
  total += polynomial(1.0L / 3, 9);
  printf("%.18Lg %.18Lg %d\n", total, sqrtl(total), (int)sizeof total);
  printf("%.18Lg %lld\n", floorl(-total), (long long)(total * 1e6L));
  return (int)total;
}
