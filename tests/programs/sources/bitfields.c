/* Bit-fields: packing, sign, carry between units. */
#include <stdio.h>
struct fields { unsigned a : 3; signed b : 5; unsigned long long c : 40; signed d : 1; unsigned e : 15; };
static struct fields kept = { 5, -7, 0xabcdef0123ULL, -1, 0x7abc };
struct __attribute__((packed)) tight { unsigned char x : 4; unsigned y : 20; short z; };
static struct tight row[3];
int main(void) {
  kept.a += 6; kept.b -= 11; kept.c <<= 3; kept.d = ~kept.d; kept.e++;
  for (int i = 0; i < 3; i++) { row[i].x = (unsigned char)(i * 7); row[i].y += 99999u * (unsigned)i; row[i].z = (short)-i; }
  printf("%u %d %llx %d %x %d\n", kept.a, kept.b, (unsigned long long)kept.c, kept.d, kept.e, (int)sizeof kept);
  printf("%u %u %d %d\n", row[2].x, row[2].y, row[2].z, (int)sizeof row);
  return kept.a;
}
