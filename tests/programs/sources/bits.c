/* Bit counts, rotations and byte order, some of which are functions of libgcc. */
#include <stdint.h>
#include <stdio.h>
static uint32_t state = 1;
static uint32_t next(void) { return state = state * 1664525u + 1013904223u; }
int main(void) {
  int ones = 0, zeros = 0, parity = 0;
  uint64_t mixed = 0;
  for (int i = 0; i < 200; i++) {
    uint64_t word = ((uint64_t)next() << 32) | next() | 1;
    ones += __builtin_popcountll(word);
    zeros += __builtin_clzll(word) + __builtin_ctzll(word << (i % 60));
    parity += __builtin_parityll(word);
    mixed ^= __builtin_bswap64(word) + ((word << (i & 31)) | (word >> (64 - (i & 31)) % 64));
  }
  printf("%d %d %d %llx\n", ones, zeros, parity, (unsigned long long)mixed);
  return ones % 100;
}
