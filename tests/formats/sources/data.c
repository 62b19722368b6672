/*
 * Data of every kind that C has: each question reads some of it, where the linker and the loader have put it. Nothing
 * here differs between systems, so `long`, `wchar_t` and `long double` are left out.
 */
#include <stddef.h>
#include <stdint.h>

/* Calls keep their arguments, and loads their places: a compiler that knew the values would not read them. */
#define KEPT __attribute__((noinline))
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Integers of every width, with a sign and without. */
int8_t i8 = -8;
uint8_t u8 = 200;
int16_t i16 = -16000;
uint16_t u16 = 60000;
int32_t i32 = -2000000000;
uint32_t u32 = 4000000000u;
int64_t i64 = -9000000000000;
uint64_t u64 = 18000000000000;
static volatile int64_t never_zero = 1;

static int64_t integers(void) { return i8 + u8 + i16 + u16 + (int64_t)i32 + u32 + i64 + (int64_t)u64; }

/* The product of two words needs 128 bits. */
static int64_t wide_product(void) {
  __int128 product = (__int128)i64 * (int64_t)u64 * never_zero;
  return (int64_t)(product >> 64) ^ (int64_t)product;
}

double f64 = 1234.5;
float f32 = -0.25f;
static const double factors[] = {0.5, 2.0, 1e3};

static int64_t floating(void) {
  double sum = f64 * factors[never_zero] + f32;
  for (size_t i = 0; i < COUNT(factors); i++) sum += factors[i] * (double)never_zero;
  return (int64_t)(sum * 100);
}

struct inner { char tag; double value; };
struct outer { int16_t first; struct inner inner[2]; uint8_t last; };
static struct outer nested = {.first = 3, .inner = {{'a', 1.5}, {'b', 2.5}}, .last = 9};

static int64_t structures(void) {
  return nested.first + nested.inner[never_zero].tag * 10 + (int64_t)(nested.inner[0].value * 1000) + nested.last +
         (int64_t)sizeof nested * 100000;
}

struct bits { unsigned low : 3, middle : 7, high : 22; int sign : 5; };
static struct bits bits = {5, 100, 4000000, -13};

static int64_t bit_fields(void) {
  bits.middle += (unsigned)never_zero;
  int64_t sum = bits.low + bits.middle * 10 + bits.high + bits.sign;
  bits.middle -= (unsigned)never_zero;
  return sum;
}

static union { uint32_t word; uint8_t bytes[4]; float number; } shared = {.number = 1.0f};

static int64_t unions(void) { return shared.word + shared.bytes[never_zero + 2]; }

/* Strings in read-only memory, in an array of pointers and in arrays of their own. */
static const char *names[] = {"zero", "one", "two", "one", ""};
char own_text[] = "own text";
static const char fixed[3][5] = {"red", "blue", "pink"};

static int64_t lengths(void) {
  int64_t sum = 0;
  for (size_t i = 0; i < COUNT(names); i++) {
    int64_t length = 0;
    for (const char *at = names[i]; *at != 0; at++) length++;
    sum = sum * 10 + length;
  }
  return sum;
}

static int64_t letters(void) { return own_text[never_zero] * 1000 + fixed[never_zero][3] + fixed[2][never_zero + 3]; }

static const uint16_t utf16[] = u"a\u00e4\u20ac";
static const uint32_t utf32[] = U"\U0001f600z";

static int64_t characters(void) { return utf16[2 * never_zero] * 1000 + utf16[1] + (int64_t)utf32[0] * 100000000 + utf32[1]; }

/* Addresses with something added, forward and backward, of data and past its end. */
static int32_t numbers[6] = {1, 2, 4, 8, 16, 32};
static int32_t *const inside = &numbers[4];
int32_t *past_the_end = numbers + 6;
static double *member = &nested.inner[1].value;
static void *circle[2] = {&circle[1], &circle[0]};

static int64_t addresses(void) {
  return inside[never_zero] + past_the_end[-6] * 100 + (int64_t)(past_the_end - inside) * 1000 +
         (int64_t)(*member * 10000) + (*(void **)circle[0] == &circle[0]) * 1000000;
}

KEPT static int64_t add(int64_t a, int64_t b) { return a + b; }
KEPT static int64_t take(int64_t a, int64_t b) { return a - b; }
int64_t multiply(int64_t a, int64_t b) { return a * b; }
static int64_t (*operations[])(int64_t, int64_t) = {add, take, multiply};

static int64_t functions(void) {
  int64_t sum = 0;
  for (size_t i = 0; i < COUNT(operations); i++) sum = sum * 1000 + operations[i](30, 4 * never_zero);
  return sum;
}

KEPT static int64_t next(void) {
  static int64_t count = 40;
  static int64_t step;
  return count += ++step;
}
static int64_t local_statics(void) {
  int64_t first = next(), second = next();
  return first * 10000 + second * 100 + next();
}

/* Zeroed memory: a tentative definition, a large array, and an array at an address that is a multiple of 256. */
int32_t tentative[8];
static uint8_t large[100000];
static _Alignas(256) uint8_t aligned[256];

static int64_t zeroed(void) {
  int64_t sum = tentative[7] + large[99999 * never_zero] + aligned[255];
  large[99999] = 7, tentative[7] = 1;
  sum = sum * 10 + large[99998 + never_zero] + tentative[7];
  large[99999] = 0, tentative[7] = 0;
  return sum * 1000 + (int64_t)((uintptr_t)aligned % 256);
}

/* A variable of each thread with a value, and one without. */
static _Thread_local int32_t of_thread = 11;
static _Thread_local int32_t zero_of_thread[4];

static int64_t thread_locals(void) {
  int64_t sum = of_thread * 100 + zero_of_thread[2 + never_zero];
  of_thread++, zero_of_thread[3]++;
  sum = sum * 100 + of_thread + zero_of_thread[3];
  of_thread--, zero_of_thread[3]--;
  return sum;
}

/* Names that others may define, and that nobody does. */
__attribute__((weak)) int64_t replaceable(int64_t x) { return x + 1; }
extern int32_t missing(int32_t) __attribute__((weak));

static int64_t weak(void) { return replaceable(never_zero) * 10 + (missing != 0 ? missing(5) : 1); }

static int32_t started;
__attribute__((constructor)) static void start(void) { started = numbers[3] + tentative[0] + 1; }

static int64_t initialiser(void) { return started; }

KEPT static int64_t jump(int64_t x) {
  switch (x) {
    case 0: return 3;
    case 1: return 1;
    case 2: return 4;
    case 3: return 15;
    case 4: return 9;
    case 5: return 2;
    case 6: return 6;
    case 7: return 53;
    default: return -1;
  }
}
static int64_t switches(void) {
  int64_t sum = 0;
  for (int64_t x = 0; x < 9; x++) sum = sum * 3 + jump(x * never_zero);
  return sum;
}

/* Addresses of labels, in a table. */
static int64_t labels(void) {
  static void *const steps[] = {&&twice, &&more, &&end};
  int64_t value = 5, step = 0;
  goto *steps[step * never_zero];
twice:
  value *= 2, step++;
  goto *steps[step];
more:
  value += 7, step++;
  goto *steps[step];
end:
  return value;
}

/* A constant with addresses in it, which is written while it is loaded, and one that holds names of functions. */
static const struct { const char *name; int64_t (*function)(int64_t, int64_t); const int32_t *number; } table[] = {
  {"add", add, &numbers[1]}, {"take", take, &numbers[2]}, {"multiply", multiply, &numbers[3]}};

static int64_t constants(void) {
  int64_t sum = 0;
  for (size_t i = 0; i < COUNT(table); i++) sum += table[i].function(table[i].name[never_zero], *table[i].number);
  return sum;
}

/* A literal in memory of its own. */
static int32_t *literal = (int32_t[]){5, 6, 7};
struct flexible { int32_t length; int32_t items[]; };
static struct flexible flexible = {3, {10, 20, 30}};

static int64_t literals(void) {
  literal[1] += (int32_t)never_zero;
  int64_t sum = literal[1]-- * 1000;
  for (int32_t i = 0; i < flexible.length; i++) sum += flexible.items[i];
  return sum;
}

static int32_t atomic_count;
static int64_t atomics(void) {
  int64_t before = __atomic_fetch_add(&atomic_count, 5, __ATOMIC_SEQ_CST);
  int32_t expected = 5;
  before += 10 * __atomic_compare_exchange_n(&atomic_count, &expected, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return before + __atomic_load_n(&atomic_count, __ATOMIC_SEQ_CST);
}

static int64_t (*const all[])(void) = {integers, wide_product, floating, structures, bit_fields, unions, lengths,
  letters, characters, addresses, functions, local_statics, zeroed, thread_locals, weak, initialiser, switches, labels,
  constants, literals, atomics};

int32_t questions(void) { return COUNT(all); }
int64_t answer(int32_t question) { return all[question](); }

/* What the test calls and reads by itself. */
double mix(int32_t a, double b, int64_t c, float d) { return a + b * 2 + (double)c * 3 + d * 4; }
int32_t apply(int32_t (*function)(int32_t), int32_t x) { return function(x) + 1; }
