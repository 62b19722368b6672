/* Two hundred functions and a table of them, so that versions differ in many addresses. */
#include <stdio.h>
#define F(n) static int f##n(int x) { static int kept = n; kept = kept * 7 + x; return kept % 1001; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define NAME(n) f##n,
#define NAMES(n) NAME(n##0) NAME(n##1) NAME(n##2) NAME(n##3) NAME(n##4) NAME(n##5) NAME(n##6) NAME(n##7) NAME(n##8) NAME(n##9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9)
static int (*const table[])(int) = { NAMES(1) NAMES(2) NAMES(3) NAMES(4) NAMES(5) NAMES(6) NAMES(7) NAMES(8) NAMES(9) };
int main(void) {
  long sum = 0;
  for (unsigned i = 0; i < sizeof table / sizeof *table; i++) sum = sum * 3 % 100003 + table[i]((int)i);
  printf("%ld\n", sum);
  return (int)(sum & 127);
}
