/* Tentative definitions, external and internal, and arrays without a size at first. */
#include <stdio.h>
int shared_number;
int shared_number;
static int later[];
static int later[4] = { 1, 2, 3 };
double shared_values[5];
int main(void) {
  shared_number += 5;
  shared_values[shared_number % 5] += 1.5;
  later[3] += shared_number;
  printf("%d %g %d\n", shared_number, shared_values[0], later[3]);
  return shared_number;
}
