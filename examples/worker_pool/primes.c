/* Counts primes; version 2 stops at the square root. */
#include <stdint.h>

/* Defined in tally.c, a module that is not reloaded. */
extern int64_t examined;

int32_t version(void) { return VERSION; }

static int is_prime(int32_t number) {
#if VERSION == 1
  for (int32_t divisor = 2; divisor < number; divisor++)
#else
  for (int32_t divisor = 2; divisor * divisor <= number; divisor++)
#endif
    if (number % divisor == 0) return 0;
  return number > 1;
}

int32_t primes_between(int32_t from, int32_t to) {
  int32_t count = 0;
  for (int32_t number = from; number < to; number++) count += is_prime(number);
  __atomic_fetch_add(&examined, to - from, __ATOMIC_RELAXED);
  return count;
}
