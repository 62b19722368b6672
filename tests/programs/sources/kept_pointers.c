/* Variables that hold addresses of other variables, of elements and of constants. */
#include <stdio.h>
static int numbers[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static int *cursor = numbers + 3;
static int **indirect = &cursor;
static const char *word = "first";
struct node { struct node *next; int value; };
static struct node third = { 0, 3 }, second = { &third, 2 }, head = { &second, 1 };
static struct node *list = &head;
int main(void) {
  (*cursor)++;
  cursor = cursor == numbers + 6 ? numbers + 1 : cursor + 1;
  int sum = 0;
  for (struct node *at = list; at; at = at->next) sum = sum * 10 + at->value++;
  printf("%d %d %d %s\n", (int)(*indirect - numbers), *cursor, sum, word);
  word = "later";
  return sum & 127;
}
