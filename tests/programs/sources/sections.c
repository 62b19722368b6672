/* Sections of our own, with the bounds that the linker defines. */
#include <stdio.h>
#define ENTRY(name, value) __attribute__((section("entries"), used)) static int name = value
ENTRY(first, 10);
ENTRY(second, 20);
ENTRY(third, 30);
extern int __start_entries[], __stop_entries[];
int main(void) {
  int sum = 0;
  for (int *at = __start_entries; at < __stop_entries; at++) { sum += *at; (*at)++; }
  printf("%d %d %d\n", sum, (int)(__stop_entries - __start_entries), first + second + third);
  return sum & 127;
}
