/* Complex numbers: multiplication and division call libgcc. */
#include <complex.h>
#include <stdio.h>
/* Volatile, so that clang does not make numbered variables of both parts: a reload starts such ones anew. */
static volatile double complex kept = 1 + 1 * I;
static volatile float complex single = 3 - 4 * I;
int main(void) {
  for (int i = 0; i < 5; i++) kept = kept * (0.5 + i * I) / (1 + kept);
  float complex quotient = single / (1 + 2 * I), product = single * single;
  printf("%.12g %.12g %.6g %.6g %.6g\n", creal(kept), cimag(kept), crealf(quotient), cimagf(product), cabsf(single));
  return 5;
}
