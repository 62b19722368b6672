#include "parts.h"

static _Alignas(16) uint8_t arena[1 << 16];
static size_t used;
int32_t allocations;

void *arena_take(size_t size) {
  void *result = arena + used;
  used += (size + 15) & ~(size_t)15;
  allocations++;
  report("take", (int64_t)size);
  return result;
}

void arena_reset(void) {
  for (size_t i = 0; i < used; i++) arena[i] = 0;
  used = 0, allocations = 0;
}
