#include "parts.h"

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* How many letters to insert, take out or change to make one text of the other. */
size_t distance_of(const char *a, const char *b) {
  size_t row[64], width = text_length(b);
  for (size_t i = 0; i <= width; i++) row[i] = i;
  for (size_t i = 0; a[i] != 0; i++) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < width; j++) {
      size_t kept = row[j + 1];
      row[j + 1] = least(least(row[j], kept) + 1, diagonal + (a[i] != b[j]));
      diagonal = kept;
    }
  }
  return row[width];
}
