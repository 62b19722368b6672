#include "parts.h"

/* The next character of a text that is valid; 0 at its end. */
int32_t utf8_next(const char **text) {
  const uint8_t *at = (const uint8_t *)*text;
  if (*at == 0) return 0;
  int more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
  int32_t character = more == 0 ? *at : *at & (0x3f >> more);
  for (int i = 1; i <= more; i++) character = character << 6 | (at[i] & 0x3f);
  *text += more + 1;
  return character;
}
