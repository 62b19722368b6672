/* Blurs a picture: each pixel becomes the weighted mean of the nine around it. */
#include "pixels.h"

static inline bytes16 mean_of_three(const uint8_t *at) {
  return mean(load(at), mean(load(at - PIXEL), load(at + PIXEL)));
}

static inline bytes16 blurred(const uint8_t *at, ptrdiff_t row) {
  return mean(mean_of_three(at), mean(mean_of_three(at - row), mean_of_three(at + row)));
}

void filter(const uint8_t *from, uint8_t *to, uint32_t width, uint32_t height) {
  each_pixel(from, to, width, height, blurred);
}
