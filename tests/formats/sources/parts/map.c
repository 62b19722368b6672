#include "parts.h"

int64_t *map_at(struct map *map, const char *key) {
  struct node **at = &map->chains[crc32_of(key, text_length(key)) & 15];
  while (*at != NULL && text_compare((*at)->key, key) != 0) at = &(*at)->next;
  if (*at == NULL) {
    *at = arena_take(sizeof **at);
    (*at)->key = text_copy(key);
    map->count++;
  }
  return &(*at)->value;
}
