/* Switches: jump tables, sparse ranges, fall-through, nesting. */
#include <stdio.h>
/* Volatile, so that clang does not make numbered variables of the elements: a reload starts such ones anew. */
static volatile int counts[12];
__attribute__((noinline)) static int dense(int x) {
  switch (x) {
    case 0: return 11; case 1: return 29; case 2: return 5; case 3: return 71; case 4: return 8;
    case 5: return 90; case 6: return 3; case 7: return 14; case 8: return 66; default: return -1;
  }
}
__attribute__((noinline)) static int act(int x) {
  int sum = 0;
  switch (x) {
    case 0: sum += 1; /* fall through */
    case 1: sum += 10; counts[1]++; break;
    case 2: case 3: counts[2]++; sum = 7; break;
    case 4: counts[3] += x; break;
    case 5 ... 9: counts[4] -= x; sum = -x; break;
    case 100: switch (counts[1] & 1) { case 0: sum = 3; break; default: sum = 4; } break;
    case -2147483647: sum = 99; break;
    default: sum = x * 2;
  }
  return sum;
}
static const char *word(int n) {
  switch (n) { case 0: return "none"; case 1: return "one"; case 2: return "two"; case 3: return "few"; case 4: return "some"; default: return "many"; }
}
int main(void) {
  int total = 0;
  for (int i = -2; i < 12; i++) total += dense(i) * 3 + act(i);
  total += act(100) + act(-2147483647);
  for (int i = 0; i < 6; i++) printf("%s ", word(i));
  printf("%d %d %d %d %d\n", total, counts[1], counts[2], counts[3], counts[4]);
  return total & 127;
}
