/* Pixels of four bytes, four at a time: SSE2 on x86-64, NEON on AArch64, which all of these processors have. */
#include <stddef.h>
#include <stdint.h>

enum { PIXEL = 4, VECTOR = 16 };

typedef uint8_t bytes16 __attribute__((vector_size(VECTOR)));

static inline bytes16 load(const uint8_t *at) {
  bytes16 bytes;
  __builtin_memcpy(&bytes, at, VECTOR);
  return bytes;
}

#ifdef __ARM_NEON
#include <arm_neon.h>
/* (a + b + 1) / 2 of each byte. */
static inline bytes16 mean(bytes16 a, bytes16 b) { return vrhaddq_u8(a, b); }
/* a + b of each byte, at most 255. */
static inline bytes16 sum(bytes16 a, bytes16 b) { return vqaddq_u8(a, b); }
/* |a - b| of each byte. */
static inline bytes16 distance(bytes16 a, bytes16 b) { return vabdq_u8(a, b); }
#else
#include <emmintrin.h>
static inline bytes16 mean(bytes16 a, bytes16 b) { return (bytes16)_mm_avg_epu8((__m128i)a, (__m128i)b); }
static inline bytes16 sum(bytes16 a, bytes16 b) { return (bytes16)_mm_adds_epu8((__m128i)a, (__m128i)b); }
static inline bytes16 distance(bytes16 a, bytes16 b) {
  return (bytes16)_mm_subs_epu8((__m128i)a, (__m128i)b) | (bytes16)_mm_subs_epu8((__m128i)b, (__m128i)a);
}
#endif

/* Writes what `changed` makes of all pixels but those at the border. The picture is at least 6 pixels wide. */
static inline void each_pixel(const uint8_t *from, uint8_t *to, uint32_t width, uint32_t height,
                              bytes16 (*changed)(const uint8_t *at, ptrdiff_t row)) {
  ptrdiff_t row = (ptrdiff_t)width * PIXEL, last = row - PIXEL - VECTOR;
  for (uint32_t y = 1; y + 1 < height; y++) {
    /* The last vector of a row may overlap the one before it. */
    for (ptrdiff_t x = PIXEL; x < row - PIXEL; x += VECTOR) {
      ptrdiff_t at = (ptrdiff_t)y * row + (x < last ? x : last);
      bytes16 pixels = changed(from + at, row);
      __builtin_memcpy(to + at, &pixels, VECTOR);
    }
  }
}
