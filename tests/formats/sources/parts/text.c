#include "parts.h"

size_t text_length(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

int text_compare(const char *a, const char *b) {
  for (; *a != 0 && *a == *b; a++) b++;
  return (unsigned char)*a - (unsigned char)*b;
}

char *text_copy(const char *text) {
  size_t size = text_length(text) + 1;
  char *copy = arena_take(size);
  for (size_t i = 0; i < size; i++) copy[i] = text[i];
  return copy;
}
