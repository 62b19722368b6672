/* Atomic operations of every width that needs no library. */
#include <stdatomic.h>
#include <stdio.h>
static atomic_int number = 5;
static _Atomic unsigned char small;
static _Atomic unsigned long long wide = 1;
static atomic_flag flag = ATOMIC_FLAG_INIT;
int main(void) {
  int expected = 5;
  int swapped = atomic_compare_exchange_strong(&number, &expected, 8);
  unsigned char before = atomic_fetch_sub(&small, 3);
  atomic_fetch_xor(&wide, 0xff00ff00ff00ULL);
  int was = atomic_flag_test_and_set(&flag);
  printf("%d %d %d %u %llx %d\n", swapped, expected, atomic_fetch_add(&number, 2), before, (unsigned long long)wide, was);
  return small;
}
