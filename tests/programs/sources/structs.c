/* Structs by value, small in registers and large in memory, nested and as results. */
#include <stdio.h>
struct pair { int a, b; };
struct mixed { double x; long n; char name[3]; };
struct large { struct mixed parts[3]; struct pair last; };
static struct large kept;
__attribute__((noinline)) static struct pair swap(struct pair p) { return (struct pair){ p.b, p.a }; }
__attribute__((noinline)) static struct mixed grow(struct mixed m, int by) {
  m.x *= by; m.n += by; m.name[0]++;
  return m;
}
__attribute__((noinline)) static struct large fill(struct large l, struct pair p) {
  for (int i = 0; i < 3; i++) l.parts[i] = grow(l.parts[i], i + 2);
  l.last = swap(p);
  return l;
}
int main(void) {
  struct large l = fill((struct large){ .parts = { { 1.5, 10, "ab" }, { 2.5, 20, "cd" }, { 3.5, 30, "ef" } } }, (struct pair){ 4, 9 });
  kept.last.a += l.last.a;
  for (int i = 0; i < 3; i++) printf("%g %ld %s\n", l.parts[i].x, l.parts[i].n, l.parts[i].name);
  printf("%d %d %d\n", l.last.a, l.last.b, kept.last.a);
  return l.last.a;
}
