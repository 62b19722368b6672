/* Compound literals and designated initialisers, static and automatic. Compilers number static literals, so that a
   reload may start them anew: each run leaves them as it found them. */
#include <stdio.h>
struct item { const char *name; int numbers[4]; struct item *next; };
static struct item *chain = &(struct item){ "a", { [2] = 5 }, &(struct item){ .name = "b", .numbers = { 1, [3] = 9 } } };
static int total(const int *numbers, int n) { int sum = 0; while (n-- > 0) sum += numbers[n]; return sum; }
int main(void) {
  chain->numbers[0] += 2;
  chain->next->numbers[1]--;
  int sum = 0;
  for (struct item *at = chain; at; at = at->next) { sum += total(at->numbers, 4); printf("%s ", at->name); }
  sum += total((int[]){ 1, 2, 3, [5] = 10 }, 6);
  printf("%d\n", sum);
  chain->numbers[0] -= 2;
  chain->next->numbers[1]++;
  return sum;
}
