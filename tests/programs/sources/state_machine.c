/* States as functions that return the next one; the state is kept. */
#include <stdio.h>
struct state;
typedef struct state (*step)(int);
struct state { step next; };
static int words, lines;
static struct state outside(int c), inside(int c);
static struct state outside(int c) { if (c == '\n') lines++; if (c > ' ') { words++; return (struct state){ inside }; } return (struct state){ outside }; }
static struct state inside(int c) { if (c == '\n') lines++; return (struct state){ c > ' ' ? inside : outside }; }
static struct state now = { outside };
int main(void) {
  for (const char *c = "two words\nthen three more\nunfini"; *c; c++) now = now.next(*c);
  printf("%d %d %d\n", words, lines, now.next == inside);
  return words;
}
