/* 128-bit integers: division and conversion call libgcc. */
#include <stdio.h>
typedef __int128 wide;
static wide total = 1;
static void show(unsigned __int128 value) {
  char text[48], *at = text + sizeof text;
  *--at = 0;
  do *--at = (char)('0' + (int)(value % 10)); while ((value /= 10) != 0);
  puts(at);
}
int main(void) {
  for (int i = 1; i < 34; i++) total = total * 3 + i;
  show((unsigned __int128)total);
  show((unsigned __int128)(total / 1234567891011LL));
  show((unsigned __int128)(-total % 1000003 + 1000003));
  printf("%.6g %ld\n", (double)total, (long)(wide)1e15);
  total %= 1000;
  return (int)(total & 63);
}
