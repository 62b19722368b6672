/* A board that goes on where it was. */
#include <stdio.h>
#include <string.h>
#define W 16
static unsigned char board[W][W] = { [2] = { [3] = 1 }, [3] = { [4] = 1 }, [4] = { [2] = 1, [3] = 1, [4] = 1 } };
static unsigned generation;
static int around(int y, int x) { int n = 0; for (int dy = -1; dy < 2; dy++) for (int dx = -1; dx < 2; dx++) if (dy || dx) n += board[(y + dy + W) % W][(x + dx + W) % W]; return n; }
static void step(void) { unsigned char next[W][W]; for (int y = 0; y < W; y++) for (int x = 0; x < W; x++) { int n = around(y, x); next[y][x] = n == 3 || (n == 2 && board[y][x]); } memcpy(board, next, sizeof board); generation++; }
int main(void) {
  for (int i = 0; i < 5; i++) step();
  unsigned where = 0, alive = 0;
  for (int i = 0; i < W * W; i++) if (board[i / W][i % W]) { alive++; where = where * 37 + (unsigned)i; }
  printf("%u %u %u\n", generation, alive, where);
  return (int)alive;
}
