/* Vector extensions: arithmetic, comparison, shuffles, as parameters and results. */
#include <stdio.h>
typedef int v4 __attribute__((vector_size(16)));
typedef float f4 __attribute__((vector_size(16)));
typedef unsigned char b16 __attribute__((vector_size(16)));
static v4 kept = { 1, 2, 3, 4 };
__attribute__((noinline)) static v4 step(v4 a, v4 b) { return a * b + (a > b); }
__attribute__((noinline)) static f4 scale(f4 a, float by) { return a * by - (f4){ 1, 2, 3, 4 }; }
int main(void) {
  kept = step(kept, (v4){ 3, 1, 4, 1 });
  f4 f = scale((f4){ 0.5f, 1.5f, 2.5f, 3.5f }, 3);
  b16 bytes = { 0 };
  for (int i = 0; i < 16; i++) bytes[i] = (unsigned char)(i * i);
  bytes ^= 0x55;
  printf("%d %d %d %d %g %g %d\n", kept[0], kept[1], kept[2], kept[3], f[0], f[3], bytes[15]);
  return kept[2] & 127;
}
