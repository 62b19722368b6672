/* The CRC of ISO 3309, which zip and png use. */
#include <stdint.h>

uint32_t crc32(const uint8_t *bytes, uint64_t length) {
  uint32_t crc = 0xffffffff;
  for (uint64_t at = 0; at < length; at++) {
    crc ^= bytes[at];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}
