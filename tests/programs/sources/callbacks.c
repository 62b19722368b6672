/* Callbacks with contexts, and an array of handlers that are registered at run time. */
#include <stdio.h>
struct context { int sum, count; };
typedef void (*handler)(struct context *, int);
static handler handlers[4];
static int registered;
static void adds(struct context *c, int n) { c->sum += n; c->count++; }
static void squares(struct context *c, int n) { c->sum += n * n; c->count++; }
static void subscribe(handler h) { if (registered < 4) handlers[registered++] = h; }
static void emit(struct context *c, int n) { for (int i = 0; i < registered; i++) handlers[i](c, n); }
int main(void) {
  struct context c = { 0, 0 };
  subscribe(adds);
  emit(&c, 3);
  subscribe(squares);
  emit(&c, 5);
  printf("%d %d %d\n", c.sum, c.count, registered);
  return c.count;
}
