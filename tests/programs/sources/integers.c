/* Integer arithmetic of every width, signed and unsigned, at its edges. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
static unsigned long seen;
static void note(unsigned long value) { seen = seen * 31 + value; }
int main(void) {
  volatile int8_t small = -128;
  volatile uint16_t wide = 65535;
  volatile int32_t low = INT_MIN, high = INT_MAX;
  volatile uint64_t huge = UINT64_MAX;
  note((uint8_t)(small - 1));
  note((uint16_t)(wide + 1));
  note((uint32_t)low >> 31);
  note((unsigned long)(high / 7) + (unsigned long)(low % 7));
  note(huge * huge);
  note(huge / 10 + huge % 10);
  for (int shift = 0; shift < 64; shift++) note((huge >> shift) ^ (huge << shift));
  for (int divisor = -9; divisor < 10; divisor++) if (divisor != 0) note((unsigned long)(long)(low / 3 / divisor));
  printf("%lu %d %d\n", seen, small, low);
  return (int)(seen % 200);
}
