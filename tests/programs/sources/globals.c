/* Variables of every size and alignment, initialised, zeroed, constant, weak and hidden. */
#include <stdint.h>
#include <stdio.h>
char one = 1;
short two = 2;
int64_t eight = 8;
_Alignas(64) unsigned char aligned[100];
__attribute__((weak)) int weak_number = 17;
__attribute__((visibility("hidden"))) int hidden_number = 23;
extern int missing_number __attribute__((weak));
const int table[] = { 3, 1, 4, 1, 5, 9, 2, 6 };
static volatile float zeroed[300];
int main(void) {
  aligned[eight % 100] += (unsigned char)(one + two);
  eight += table[one & 7];
  one++; two--; weak_number++; hidden_number *= 2;
  zeroed[7] += 0.25f;
  printf("%d %d %lld %d %d %d %d %g %d\n", one, two, (long long)eight, aligned[8], weak_number, hidden_number,
         (int)((uintptr_t)aligned % 64), zeroed[7], &missing_number == 0);
  return one;
}
