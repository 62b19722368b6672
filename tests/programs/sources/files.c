/* Temporary files and the C library's own state. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int opened;
int main(void) {
  FILE *file = tmpfile();
  if (file == NULL) return 99;
  fprintf(file, "%d %s\n%x", 42, "line", 255);
  rewind(file);
  int number; char text[16]; unsigned hex;
  int read = fscanf(file, "%d %15s %x", &number, text, &hex);
  long size = ftell(file);
  fclose(file);
  opened++;
  errno = 0;
  int failed = fopen("/nowhere/at/all", "r") == NULL;
  printf("%d %d %s %u %ld %d %s %d\n", read, number, text, hex, size, failed, strerror(errno), opened);
  return abs(-opened);
}
