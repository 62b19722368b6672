/* Variable arguments: integers, doubles and structs, more than registers hold, copied lists. */
#include <stdarg.h>
#include <stdio.h>
struct point { long x, y; };
static long calls;
__attribute__((noinline)) static double sum(const char *kinds, ...) {
  va_list list, again;
  va_start(list, kinds);
  va_copy(again, list);
  double total = 0;
  for (; *kinds; kinds++) {
    if (*kinds == 'i') total += va_arg(list, int);
    else if (*kinds == 'd') total += va_arg(list, double);
    else if (*kinds == 'l') total += (double)va_arg(list, long double);
    else { struct point p = va_arg(list, struct point); total += (double)(p.x * 10 + p.y); }
  }
  total += va_arg(again, int) * 1000;
  va_end(again);
  va_end(list);
  calls++;
  return total;
}
static int format(char *out, size_t size, const char *text, ...) {
  va_list list;
  va_start(list, text);
  int length = vsnprintf(out, size, text, list);
  va_end(list);
  return length;
}
int main(void) {
  char out[80];
  double total = sum("iidpdlidddddddddiiiii", 1, 2, 0.5, (struct point){ 3, 4 }, 1.25, 2.0L, 7,
                     1., 2., 3., 4., 5., 6., 7., 8., 9., 1, 2, 3, 4, 5);
  int length = format(out, sizeof out, "%d %s %.2f %ld", 5, "text", 2.5, calls);
  printf("%g %d %s\n", total, length, out);
  return (int)calls;
}
