// Templates, lambdas, constant expressions and static members.
#include <cstdio>
template <typename T, int N> struct Ring { T items[N] = {}; int at = 0; static int made; void put(T x) { items[at++ % N] = x; made++; } T sum() const { T s = 0; for (T x : items) s += x; return s; } };
template <typename T, int N> int Ring<T, N>::made = 0;
template <typename F> __attribute__((noinline)) static int apply(F f, int n) { int s = 0; for (int i = 0; i < n; i++) s += f(i); return s; }
constexpr int factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }
template <typename... Ts> static double all(Ts... values) { return (0.0 + ... + values); }
static Ring<int, 4> ring;
static Ring<double, 3> other;
int main() {
  for (int i = 1; i < 7; i++) { ring.put(i * 3); other.put(i * 0.5); }
  int offset = 5;
  auto closure = [offset, &ring = ring](int x) mutable { return x * offset++ + ring.at; };
  std::printf("%d %g %d %d %d %g\n", ring.sum(), other.sum(), Ring<int, 4>::made, apply(closure, 5), factorial(7), all(1, 2.5, 3L));
  return ring.at;
}
