/* A library, compiled in two versions. */
#include <stdint.h>

int64_t calls;
int64_t add(int64_t a, int64_t b) {
  calls++;
  return a + b;
}
int32_t version(void) { return VERSION; }
