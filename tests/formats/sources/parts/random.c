#include "parts.h"

static uint64_t state = 88172645463325252u;

void random_seed(uint64_t seed) { state = seed; }

uint64_t random_next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}
