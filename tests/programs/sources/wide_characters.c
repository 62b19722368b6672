/* Wide and Unicode characters. */
#include <stdio.h>
#include <uchar.h>
#include <wchar.h>
static wchar_t text[32] = L"gr\u00fc\u00df";
static const char16_t narrow[] = u"\U0001f600x";
int main(void) {
  if (wcslen(text) < 20) wcscat(text, L"\u00e9+");
  unsigned long sum = 0;
  for (const wchar_t *c = text; *c; c++) sum = sum * 31 + (unsigned long)*c;
  printf("%zu %lu %x %zu %s\n", wcslen(text), sum, narrow[0], sizeof narrow, u8"\u20ac");
  return (int)wcslen(text);
}
