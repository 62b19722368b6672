/* argc and argv of main. */
#include <stdio.h>
#include <string.h>
static int length;
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) { length += (int)strlen(argv[i]); printf("[%s]", argv[i]); }
  printf(" %d %d %d\n", argc, length, argv[argc] == NULL);
  return argc;
}
