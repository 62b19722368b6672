/* A variable that holds a function's address from one call of main to the next. */
#include <stdio.h>
static int calls;
static int first(void) { return 100 + calls; }
static int second(void) { return 200 + calls; }
static int (*chosen)(void) = first;
int main(void) {
  int value = chosen();
  chosen = chosen == first ? second : first;
  calls++;
  printf("%d %d\n", value, chosen == first);
  return value & 127;
}
