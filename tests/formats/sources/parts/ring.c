#include "parts.h"

int ring_push(struct ring *ring, int32_t item) {
  if (ring->count == 8) return 0;
  ring->items[(ring->first + ring->count++) % 8] = item;
  return 1;
}

int32_t ring_pop(struct ring *ring) {
  if (ring->count == 0) return -1;
  int32_t item = ring->items[ring->first];
  ring->first = (ring->first + 1) % 8, ring->count--;
  return item;
}
