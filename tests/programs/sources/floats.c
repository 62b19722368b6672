/* Single and double precision: rounding, comparison, conversion, special values. */
#include <math.h>
#include <stdio.h>
static double sum;
static volatile double zero;
int main(void) {
  for (int i = 1; i <= 1000; i++) sum += 1.0 / i;
  float narrow = (float)sum;
  double infinity = 1 / zero, nan = zero / zero;
  printf("%.17g %.9g %d %d %d\n", sum, narrow, infinity > 1e308, nan != nan, nan < 1);
  printf("%ld %u %d\n", (long)-2.9e9, (unsigned)3e9, (int)-1.5f);
  printf("%.15g %.15g %.15g\n", sqrt(2), floor(-1.5), fmod(17.25, 5));
  return (int)narrow;
}
