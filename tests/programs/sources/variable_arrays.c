/* Arrays of variable length, of two dimensions, as parameters, and sizeof of them. */
#include <stdio.h>
static long kept;
__attribute__((noinline)) static long fill(int rows, int columns, int matrix[rows][columns]) {
  long trace = 0;
  for (int r = 0; r < rows; r++) for (int c = 0; c < columns; c++) matrix[r][c] = r * columns + c;
  for (int i = 0; i < rows && i < columns; i++) trace += matrix[i][i];
  return trace + (long)sizeof matrix[0];
}
int main(void) {
  for (int n = 1; n < 20; n++) {
    int matrix[n][n + 2];
    double line[n];
    for (int i = 0; i < n; i++) line[i] = i * 0.5;
    kept += fill(n, n + 2, matrix) + (long)sizeof matrix + (long)line[n - 1];
  }
  printf("%ld\n", kept);
  return (int)(kept & 127);
}
