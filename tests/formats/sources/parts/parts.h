/* A library of small files that use each other. main.c asks it questions; unused.c nobody needs. */
#include <stddef.h>
#include <stdint.h>

extern const uint32_t crc_table[256];
extern const char hex_digits[16];
extern int32_t allocations;

void *arena_take(size_t size);
void arena_reset(void);
uint32_t crc32_of(const void *bytes, size_t size);
size_t text_length(const char *text);
int text_compare(const char *a, const char *b);
char *text_copy(const char *text);
size_t hex_write(uint64_t value, char *out);
void sort_words(const char **words, size_t count);

struct node { const char *key; int64_t value; struct node *next; };
struct map { struct node *chains[16]; size_t count; };
int64_t *map_at(struct map *map, const char *key);

struct ring { int32_t items[8]; uint32_t first, count; };
int ring_push(struct ring *ring, int32_t item);
int32_t ring_pop(struct ring *ring);

uint64_t random_next(void);
void random_seed(uint64_t seed);
int64_t gcd(int64_t a, int64_t b);
size_t primes_below(uint32_t limit);
int64_t day_number(int32_t year, int32_t month, int32_t day);
size_t roman_write(int32_t number, char *out);
void matrix_multiply(const double *a, const double *b, double *out, size_t n);
double newton_root(double value);
size_t base64_write(const uint8_t *bytes, size_t size, char *out);
int32_t utf8_next(const char **text);
size_t distance_of(const char *a, const char *b);
int64_t evaluate(const char **text);
void report(const char *event, int64_t value);
extern void (*reporter)(const char *event, int64_t value);
