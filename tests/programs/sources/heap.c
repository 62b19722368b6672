/* The heap: a list and a growing array that live from one call of main to the next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct entry { struct entry *next; char *key; int count; };
static struct entry *buckets[16];
static int *numbers;
static size_t length, capacity;
static unsigned hash(const char *text) { unsigned h = 5381; while (*text) h = h * 33 + (unsigned char)*text++; return h; }
static int count(const char *key) {
  struct entry **at = &buckets[hash(key) % 16];
  for (; *at; at = &(*at)->next) if (strcmp((*at)->key, key) == 0) return ++(*at)->count;
  *at = calloc(1, sizeof **at);
  (*at)->key = strdup(key);
  return (*at)->count = 1;
}
static void push(int n) {
  if (length == capacity) numbers = realloc(numbers, (capacity = capacity * 2 + 1) * sizeof *numbers);
  numbers[length++] = n;
}
int main(void) {
  static const char *const words[] = { "the", "cat", "and", "the", "dog", "the" };
  int last = 0;
  for (size_t i = 0; i < 6; i++) push(last = count(words[i]));
  long sum = 0;
  for (size_t i = 0; i < length; i++) sum += numbers[i];
  printf("%d %ld %zu\n", last, sum, length);
  return last;
}
