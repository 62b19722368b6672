#include "parts.h"

const char hex_digits[16] = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};

size_t hex_write(uint64_t value, char *out) {
  for (size_t i = 0; i < 16; i++) out[i] = hex_digits[value >> (60 - 4 * i) & 15];
  out[16] = 0;
  return 16;
}
