#include "parts.h"

int64_t gcd(int64_t a, int64_t b) { return b == 0 ? a : gcd(b, a % b); }
