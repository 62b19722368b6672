/* Memory on the stack: alloca, also in a loop and beside aligned variables. */
#include <alloca.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
static unsigned long total;
__attribute__((noinline)) static int use(int n) {
  _Alignas(32) char fixed[16] = "fixed";
  char *parts[10];
  for (int i = 0; i < 10; i++) {
    parts[i] = alloca((size_t)(n + i));
    memset(parts[i], 'a' + i, (size_t)(n + i));
  }
  int sum = (int)((uintptr_t)fixed % 32);
  for (int i = 0; i < 10; i++) sum += parts[i][n + i - 1];
  return sum + fixed[0];
}
int main(void) {
  for (int n = 1; n < 400; n += 37) total += (unsigned)use(n);
  printf("%lu\n", total);
  return (int)(total & 127);
}
