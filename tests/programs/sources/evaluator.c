/* A recursive-descent parser with global state. */
#include <ctype.h>
#include <stdio.h>
static const char *at;
static long variables[26];
static int errors;
static long sum(void);
static void skip(void) { while (isspace((unsigned char)*at)) at++; }
static long atom(void) {
  skip();
  if (*at == '(') { at++; long v = sum(); skip(); if (*at == ')') at++; else errors++; return v; }
  if (*at == '-') { at++; return -atom(); }
  if (islower((unsigned char)*at)) { int name = *at++ - 'a'; skip(); if (*at == '=') { at++; return variables[name] = sum(); } return variables[name]; }
  long v = 0;
  if (!isdigit((unsigned char)*at)) errors++;
  while (isdigit((unsigned char)*at)) v = v * 10 + (*at++ - '0');
  return v;
}
static long product(void) { long v = atom(); for (;;) { skip(); if (*at == '*') { at++; v *= atom(); } else if (*at == '/') { at++; long d = atom(); if (d) v /= d; else errors++; } else return v; } }
static long sum(void) { long v = product(); for (;;) { skip(); if (*at == '+') { at++; v += product(); } else if (*at == '-') { at++; v -= product(); } else return v; } }
static long evaluate(const char *text) { at = text; return sum(); }
int main(void) {
  static const char *const lines[] = { "x = 3 * (4 + 5) - 6 / 2", "y = y + x", "-(y - 1) * 2", "7 / (x - 24)", "2 +" };
  for (int i = 0; i < 5; i++) printf("%ld ", evaluate(lines[i]));
  printf("%d\n", errors);
  return errors;
}
