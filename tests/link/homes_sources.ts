/** C and C++ that refer to variables in every way that compilers have; `check` tests them all, and counts its calls. */

/** The reference kinds of C. Each line of `check` that is wrong gives a number of its own. */
export const C_SOURCE = `
#include <stdint.h>
#include <stddef.h>
#define KEEP __attribute__((used))
#define HIDDEN __attribute__((visibility("hidden")))
static KEEP int counter;
static KEEP int started = 5;
static long table[4] = {10, 20, 30, 40};
static char text[13] = "twelve chars";
int exported = 7;
int exported_zero;
HIDDEN int hidden_value = 9;
int tentative;
long tentative_array[8];
struct node { struct node *next; int value; };
static struct node third = {0, 3}, second = {&third, 2}, first = {&second, 1};
static struct node *list = &first;
static int *to_started = &started;
static long *past_table = table + 4;
static long *before_table = table - 1;
int *const to_exported = &exported;
static int *volatile to_hidden = &hidden_value;
static char big[70000];
static volatile double aligned_value __attribute__((aligned(64))) = 1.5;
static struct { char tag; short half; int word; long wide; } mixed = {1, 2, 3, 4};
#ifdef __x86_64__
__asm__(".pushsection .text\\n.balign 4\\ndistances: .long started - ., counter - . + 0, hidden_value - .\\n"
  ".popsection\\n.pushsection .rodata\\n.balign 8\\nwide_distances: .quad started - .\\n.popsection");
#else
__asm__(".pushsection .rodata\\n.balign 8\\ndistances: .word started - ., counter - ., hidden_value - .\\n"
  ".balign 8\\nwide_distances: .xword started - .\\n.popsection");
#endif
extern const int32_t distances[3] HIDDEN;
extern const int64_t wide_distances[1] HIDDEN;

static int next(void) { static int calls = 100; return ++calls; }
static int other(void) { static int calls; static long sum = 1; sum += ++calls; return (int)sum; }
__attribute__((noinline)) long at(long i) { return table[i - 1]; }
__attribute__((noinline)) void set(long i, long value) { table[i - 1] = value; }
__attribute__((noinline)) int *address_of(int which) {
  switch (which) {
    case 0: return &counter;
    case 1: return &started;
    case 2: return &exported;
    case 3: return &hidden_value;
    case 4: return &tentative;
    default: return &exported_zero;
  }
}
__attribute__((noinline)) long sum_table(void) {
  long sum = 0;
  for (long *p = table; p != table + 4; p++) sum += *p;
  for (long *p = past_table; p-- != before_table + 1;) sum += *p;
  return sum;
}
__attribute__((noinline)) void fill(int value) {
  for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(value + i);
}
static int calls_of_check;
__attribute__((visibility("default"))) int check(void) {
  int n = ++calls_of_check;
  counter += 2;
  if (*address_of(0) != 2 * n || counter != 2 * n) return 1000 + n;
  *address_of(1) = 5 + n;
  if (started != 5 + n || *to_started != 5 + n) return 2000 + n;
  if (at(1) != 10 + n - 1 || at(4) != 40) return 3000 + n;
  set(1, 10 + n);
  if (sum_table() != 2 * (100 + n)) return 4000 + n;
  exported++;
  if (*to_exported != 7 + n || *address_of(2) != 7 + n) return 5000 + n;
  hidden_value--;
  if (*to_hidden != 9 - n || *address_of(3) != 9 - n) return 6000 + n;
  tentative += 3; tentative_array[7] += n; exported_zero -= 1;
  if (*address_of(4) != 3 * n || *address_of(5) != -n || tentative_array[7] != n * (n + 1) / 2) return 7000 + n;
  int sum = 0;
  for (struct node *node = list; node; node = node->next) sum += node->value++;
  if (sum != 6 + 3 * (n - 1) || first.next != &second || second.next != &third) return 8000 + n;
  if (next() != 100 + n || other() != 1 + n * (n + 1) / 2) return 9000 + n;
  for (int i = 0; i < 3; i++) {
    int *p = (int *)((char *)&distances[i] + distances[i]);
    if (p != (i == 0 ? &started : i == 1 ? &counter : &hidden_value)) return 10000 + 10 * n + i;
  }
  if ((char *)&wide_distances[0] + wide_distances[0] != (char *)&started) return 11000 + n;
  if (text[n % 12] != "twelve chars"[n % 12]) return 12000 + n;
  fill(n);
  if (big[69999] != (char)(n + 69999) || big[0] != (char)n) return 13000 + n;
  aligned_value += n;
  if (aligned_value != 1.5 + n * (n + 1) / 2 || (uintptr_t)&aligned_value % 64 != 0) return 14000 + n;
  mixed.half += 1; mixed.wide += mixed.tag;
  if (mixed.half != 2 + n || mixed.wide != 4 + n || mixed.word != 3) return 15000 + n;
  return 42;
}
`;

/** Statics of C++: guards, templates, objects with constructors and destructors, pointers to members of arrays. */
export const CPP_SOURCE = `
extern "C" __attribute__((visibility("default"))) int check(void);
void operator delete(void *, unsigned long) noexcept {}
namespace {
struct Counted {
  static int alive;
  int value;
  Counted *self;
  explicit Counted(int v) : value(v), self(this) { alive++; }
  ~Counted() { alive--; }
};
int Counted::alive = 0;
Counted global_object(11);
int two[2] = {1, 2};
int &second = two[1];
}
template <class T> struct Holder { static T value; static T twice() { static T kept = value * 2; return ++kept; } };
template <class T> T Holder<T>::value = 21;
inline int shared_inline = 70;
static int start() { return 5; }
struct Base { virtual int get() { return 1; } virtual ~Base() {} };
struct Derived : Base { int get() override { return 2; } };
static Derived derived;
static Base *base = &derived;
static Counted &local() { static Counted object(start()); return object; }
int check(void) {
  static int n;
  n++;
  if (global_object.value != 11 || global_object.self != &global_object) return 100 + n;
  Counted &object = local();
  if (object.self != &object || object.value != 5 + n - 1 || Counted::alive != 2) return 200 + n;
  object.value++;
  if (Holder<int>::twice() != 42 + n || Holder<long>::twice() != 42 + n) return 300 + n;
  if (++shared_inline != 70 + n || ++second != 2 + n || two[1] != 2 + n) return 400 + n;
  if (base->get() != 2) return 500 + n;
  return 42;
}
`;
