/* Empty structs, empty arrays and flexible members between variables. */
#include <stdio.h>
struct empty { };
static struct empty nothing, more[3];
static int before = 1;
static int none[0];
static struct { int n; int rest[]; } flexible = { 3, { 7, 8, 9 } };
static int after = 2;
int main(void) {
  before += flexible.rest[2]; after += flexible.n; flexible.rest[0]++;
  printf("%d %d %d %d %d\n", before, after, flexible.rest[0], (int)(sizeof nothing + sizeof more), (int)sizeof none);
  return after;
}
