/* Function pointers: tables, arguments, results, comparison, the C library's callbacks. */
#include <stdio.h>
#include <stdlib.h>
typedef int (*operation)(int, int);
static int add(int a, int b) { return a + b; }
static int subtract(int a, int b) { return a - b; }
static int multiply(int a, int b) { return a * b; }
static const operation table[] = { add, subtract, multiply };
static int turn;
static operation choose(int n) { return table[n % 3]; }
static int apply(operation f, int a, int b) { return f(a, b); }
static int descending(const void *a, const void *b) { return *(const int *)b - *(const int *)a; }
int main(void) {
  int numbers[] = { 5, 2, 9, -4, 7 };
  qsort(numbers, 5, sizeof *numbers, descending);
  int *found = bsearch(&(int){ 7 }, numbers, 5, sizeof *numbers, descending);
  int total = 0;
  for (int i = 0; i < 9; i++) total = apply(choose(turn++), total, i + 1);
  printf("%d %d %d %d %d\n", numbers[0], numbers[4], (int)(found - numbers), total, choose(turn) == add);
  return turn;
}
