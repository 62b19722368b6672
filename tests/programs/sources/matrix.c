/* Floating-point loops that compilers vectorise. */
#include <stdio.h>
#define N 24
static double a[N][N], b[N][N], c[N][N];
static float line[1000];
static int runs;
int main(void) {
  runs++;
  for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) { a[i][j] = i + j * 0.5; b[i][j] = i == j ? runs : 0.25; }
  for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) { c[i][j] = 0; for (int k = 0; k < N; k++) c[i][j] += a[i][k] * b[k][j]; }
  for (int i = 0; i < 1000; i++) line[i] += (float)(i % 7) * 0.5f;
  int sum = 0;
  for (int i = 0; i < 1000; i++) sum += (int)line[i];
  printf("%.6f %.6f %d\n", c[3][5], c[N - 1][N - 1], sum);
  return runs;
}
