#include "parts.h"

static const struct { int32_t value; const char *letters; } steps[] = {
  {1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"},
  {40, "XL"},  {10, "X"},   {9, "IX"},  {5, "V"},    {4, "IV"},  {1, "I"}};

size_t roman_write(int32_t number, char *out) {
  size_t length = 0;
  for (size_t i = 0; number > 0; i++) {
    for (; number >= steps[i].value; number -= steps[i].value) {
      for (const char *letter = steps[i].letters; *letter != 0; letter++) out[length++] = *letter;
    }
  }
  out[length] = 0;
  return length;
}
