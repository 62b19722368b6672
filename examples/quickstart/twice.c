/* Calls a function of another module. */
#include <stdint.h>

int64_t add(int64_t a, int64_t b);
int64_t twice(int64_t value) { return add(value, value); }
