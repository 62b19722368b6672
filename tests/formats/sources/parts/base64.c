#include "parts.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_write(const uint8_t *bytes, size_t size, char *out) {
  size_t length = 0;
  for (size_t at = 0; at < size; at += 3) {
    uint32_t word = (uint32_t)bytes[at] << 16;
    if (at + 1 < size) word |= (uint32_t)bytes[at + 1] << 8;
    if (at + 2 < size) word |= bytes[at + 2];
    for (size_t i = 0; i < 4; i++) out[length++] = at + i > size ? '=' : alphabet[word >> (18 - 6 * i) & 63];
  }
  out[length] = 0;
  return length;
}
