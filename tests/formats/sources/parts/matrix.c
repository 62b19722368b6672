#include "parts.h"

void matrix_multiply(const double *a, const double *b, double *out, size_t n) {
  for (size_t row = 0; row < n; row++) {
    for (size_t column = 0; column < n; column++) {
      double sum = 0;
      for (size_t k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
      out[row * n + column] = sum;
    }
  }
}
