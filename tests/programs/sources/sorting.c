/* Sorting by three algorithms of our own, compared. */
#include <stdio.h>
#include <string.h>
static unsigned seed = 42;
static int random_number(void) { seed = seed * 1103515245u + 12345u; return (int)(seed >> 16) & 1023; }
static void insertion(int *a, int n) { for (int i = 1; i < n; i++) { int x = a[i], j = i; while (j > 0 && a[j - 1] > x) { a[j] = a[j - 1]; j--; } a[j] = x; } }
static void quick(int *a, int n) {
  if (n < 2) return;
  int pivot = a[n / 2], i = 0, j = n - 1;
  while (i <= j) { while (a[i] < pivot) i++; while (a[j] > pivot) j--; if (i <= j) { int t = a[i]; a[i++] = a[j]; a[j--] = t; } }
  quick(a, j + 1);
  quick(a + i, n - i);
}
static void heap(int *a, int n) {
  for (int start = n / 2 - 1, end = n; end > 1;) {
    if (start >= 0) { } else { int t = a[--end]; a[end] = a[0]; a[0] = t; }
    int root = start >= 0 ? start-- : 0;
    for (int child; (child = 2 * root + 1) < end; root = child) {
      if (child + 1 < end && a[child + 1] > a[child]) child++;
      if (a[root] >= a[child]) break;
      int t = a[root]; a[root] = a[child]; a[child] = t;
    }
  }
}
int main(void) {
  int a[200], b[200], c[200];
  for (int i = 0; i < 200; i++) a[i] = b[i] = c[i] = random_number();
  insertion(a, 200); quick(b, 200); heap(c, 200);
  printf("%d %d %d %d %d\n", a[0], a[100], a[199], memcmp(a, b, sizeof a), memcmp(a, c, sizeof a));
  return a[100] & 127;
}
