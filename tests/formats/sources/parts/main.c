#include "parts.h"

static int64_t taken;
static void count_taken(const char *event, int64_t value) { taken += event[0] == 't' ? value : 0; }

static int64_t checksum(void) { return crc32_of("123456789", 9); }

static int64_t hexadecimal(void) {
  char out[17];
  hex_write(0x0123456789abcdefu, out);
  return crc32_of(out, 16);
}

static int64_t sorted(void) {
  const char *words[] = {"pear", "fig", "apple", "quince", "date", "cherry", "fig", "banana"};
  sort_words(words, 8);
  uint32_t crc = 0;
  for (size_t i = 0; i < 8; i++) crc = crc * 31 + (uint8_t)words[i][0];
  return crc;
}

static int64_t counted(void) {
  static const char *const words[] = {"to", "be", "or", "not", "to", "be", "that", "is"};
  struct map map = {0};
  taken = 0, reporter = count_taken;
  arena_reset();
  for (size_t i = 0; i < 8; i++) ++*map_at(&map, words[i]);
  reporter = NULL;
  int64_t result = *map_at(&map, "to") * 100000 + (int64_t)map.count * 10000 + taken + allocations;
  arena_reset();
  return result;
}

static int64_t rings(void) {
  struct ring ring = {0};
  int64_t sum = 0;
  for (int32_t i = 0; i < 20; i++) {
    if (!ring_push(&ring, i * i)) sum = sum * 10 + ring_pop(&ring) % 10;
  }
  return sum * 10 + ring_pop(&ring) % 10;
}

static int64_t randoms(void) {
  random_seed(42);
  uint64_t sum = 0;
  for (int i = 0; i < 100; i++) sum += random_next() >> 8;
  return (int64_t)(sum & 0xffffffffffff);
}

static int64_t divisors(void) { return gcd(1071, 462) * 100 + gcd(17, 5); }
static int64_t primes(void) { return (int64_t)primes_below(20000) * 100 + (int64_t)primes_below(100); }

static int64_t days(void) { return day_number(2000, 3, 1) * 100000 + day_number(2026, 11, 30) - day_number(1970, 1, 1); }

static int64_t roman(void) {
  char out[32];
  size_t length = roman_write(1994, out);
  return (int64_t)length * 1000 + (text_compare(out, "MCMXCIV") == 0) * 100 + (int64_t)roman_write(3888, out);
}

static int64_t matrices(void) {
  static const double a[] = {1, 2, 3, 4, 5, 6, 7, 8, 10};
  double once[9], twice[9];
  matrix_multiply(a, a, once, 3);
  matrix_multiply(once, a, twice, 3);
  return (int64_t)twice[0] * 1000000 + (int64_t)twice[8] * 100 + (int64_t)(newton_root(2) * 1e10) % 100;
}

static int64_t encoded(void) {
  char out[64];
  size_t length = base64_write((const uint8_t *)"any carnal pleas", 16, out);
  return (int64_t)length * 1000 + (text_compare(out, "YW55IGNhcm5hbCBwbGVhcw==") == 0);
}

static int64_t characters(void) {
  const char *text = "z\u00df\u6c34\U0001f34c";
  int64_t sum = 0;
  for (int32_t character; (character = utf8_next(&text)) != 0;) sum = sum * 31 + character;
  return sum;
}

static int64_t distances(void) {
  return (int64_t)(distance_of("kitten", "sitting") * 100 + distance_of("saturday", "sunday") * 10 + distance_of("", "abc"));
}

static int64_t expression(void) {
  const char *text = "+ 100 * - 9 2 g 84 36";
  return evaluate(&text);
}

static int64_t (*const all[])(void) = {checksum, hexadecimal, sorted, counted, rings, randoms, divisors, primes, days,
                                       roman, matrices, encoded, characters, distances, expression};

int32_t questions(void) { return sizeof all / sizeof *all; }
int64_t answer(int32_t question) { return all[question](); }
