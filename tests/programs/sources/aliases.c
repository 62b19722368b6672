/* Aliases and weak functions. */
#include <stdio.h>
int number = 6;
extern int same_number __attribute__((alias("number")));
int real(int x) { return x * number; }
int also(int x) __attribute__((alias("real")));
__attribute__((weak)) int overridable(void) { return 8; }
int nowhere(void) __attribute__((weak));
int main(void) {
  same_number++;
  printf("%d %d %d %d %d\n", number, also(3), also == real, overridable(), nowhere != 0);
  return number;
}
