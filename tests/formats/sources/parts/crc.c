#include "parts.h"

uint32_t crc32_of(const void *bytes, size_t size) {
  const uint8_t *at = bytes;
  uint32_t crc = ~0u;
  while (size-- > 0) crc = crc >> 8 ^ crc_table[(crc ^ *at++) & 255];
  return ~crc;
}
