#include "parts.h"

static int64_t add(int64_t a, int64_t b) { return a + b; }
static int64_t take(int64_t a, int64_t b) { return a - b; }
static int64_t times(int64_t a, int64_t b) { return a * b; }
static const struct { char letter; int64_t (*function)(int64_t, int64_t); } operators[] = {
  {'+', add}, {'-', take}, {'*', times}, {'g', gcd}};

/* An expression with its operators in front, such as "+ 1 * 2 3". */
int64_t evaluate(const char **text) {
  while (**text == ' ') ++*text;
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    if (**text != operators[i].letter) continue;
    ++*text;
    int64_t left = evaluate(text);
    return operators[i].function(left, evaluate(text));
  }
  int64_t number = 0;
  for (; **text >= '0' && **text <= '9'; ++*text) number = number * 10 + (**text - '0');
  return number;
}
