// Exceptions: types, cleanups, rethrowing, through several frames.
#include <cstdio>
#include <stdexcept>
static int cleaned;
struct Guard { int n; explicit Guard(int n) : n(n) {} ~Guard() { cleaned += n; } };
__attribute__((noinline)) static int deep(int n) {
  Guard guard(n);
  if (n == 0) throw std::out_of_range("bottom");
  if (n == 50) throw 50;
  return deep(n - 1) + 1;
}
static int outer(int n) {
  try { return deep(n); } catch (const std::logic_error &error) { Guard guard(1000); if (n > 5) throw; return -1; }
}
int main() {
  int result = outer(3);
  try { result += outer(8); } catch (const std::exception &error) { std::printf("%s ", error.what()); result += 100; }
  try { result += outer(60); } catch (int n) { result += n; } catch (...) { result = -99; }
  std::printf("%d %d\n", result, cleaned);
  return cleaned & 127;
}
