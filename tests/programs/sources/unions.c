/* Unions and the bytes of values. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
union value { double number; uint64_t bits; unsigned char bytes[8]; struct { uint32_t low, high; } halves; };
static union value kept = { .number = 1.0 };
int main(void) {
  kept.halves.high += 0x100000;
  kept.bytes[0] ^= 0x5a;
  float f = 1.5f;
  uint32_t raw;
  memcpy(&raw, &f, 4);
  printf("%.17g %llx %x\n", kept.number, (unsigned long long)kept.bits, raw);
  return kept.bytes[7];
}
