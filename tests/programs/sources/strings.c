/* Strings: constants that the linker merges, tails, and the C library's functions. */
#include <stdio.h>
#include <string.h>
static const char *const names[] = { "alphabet", "bet", "t", "", "alphabet" };
static char text[64] = "start";
static const int wide[] = { L'x', L'\u00fc', 0 };
int main(void) {
  if (strlen(text) < 40) strcat(text, "+more");
  char copy[64];
  strcpy(copy, text);
  for (char *at = strtok(copy, "+"); at != NULL; at = strtok(NULL, "+")) printf("<%s>", at);
  size_t total = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) total += strlen(names[i]) * (i + 1);
  printf("\n%zu %d %s %d\n", total, strcmp(names[0], names[4]), strrchr(names[0], 'b'), wide[1]);
  printf("%.*s|%-8s|%08.3f|%+d|%#x|%c|%5s%%\n", 3, "abcdef", "left", 3.14159, 7, 255, 'z', "r");
  return (int)strlen(text);
}
