#include "parts.h"

static uint8_t composite[20000];

size_t primes_below(uint32_t limit) {
  size_t count = 0;
  if (limit > sizeof composite) limit = sizeof composite;
  for (uint32_t n = 2; n < limit; n++) {
    if (composite[n]) continue;
    count++;
    for (uint32_t m = n * n; m < limit; m += n) composite[m] = 1;
  }
  return count;
}
