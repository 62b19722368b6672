/*
 * Finds mappings: by queries of the kernel, or in /proc/self/maps (proc(5)) where it knows none.
 */
#define _GNU_SOURCE
#include "mappings.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * The request of PROCMAP_QUERY (linux/fs.h, since Linux 6.11), for the mapping that contains an address. A process with
 * many modules has thousands of mappings, and the text of all of them takes milliseconds.
 */
struct query {
  uint64_t size, query_flags, query_address;
  uint64_t start, end, flags;
  uint64_t page_size, offset, inode;
  uint32_t device_major, device_minor, name_size, build_id_size;
  uint64_t name_address, build_id_address;
};

#define QUERY _IOWR('f', 17, struct query)
#define IS_WRITABLE (1 | 2)
#define IS_EXECUTABLE 4

/* Reads a whole file. Returns its text, which the caller frees; NULL if that fails. */
static char *read_text(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  size_t room = 4096, length = 0;
  char *text = malloc(room);
  while (text) {
    ssize_t count = read(file, text + length, room - length - 1);
    if (count == 0) {
      text[length] = 0;
      break;
    }
    length += count < 0 ? 0 : count;
    char *larger = count < 0 ? 0 : room - length > 1 ? text : realloc(text, room *= 2);
    if (!larger) free(text);
    text = larger;
  }
  close(file);
  return text;
}

/* Reads the mappings. Returns 0 if that fails. */
static int read_mappings(struct mappings *mappings) {
  char *text = read_text("/proc/self/maps");
  if (!text) return 0;
  size_t lines = 0;
  for (char *at = text; (at = strchr(at, '\n')); at++) lines++;
  mappings->list = malloc((lines + 1) * sizeof *mappings->list);
  for (char *line = text; mappings->list && *line;) {
    char *next = strchr(line, '\n'), *at;
    struct mapping *mapping = &mappings->list[mappings->count];
    mapping->range.start = strtoull(line, &at, 16);
    if (*at != '-' || !next) break;
    mapping->range.end = strtoull(at + 1, &at, 16);
    mapping->is_writable = at[1] == 'r' && at[2] == 'w';
    mapping->is_executable = at[3] == 'x';
    mappings->count++;
    line = next + 1;
  }
  free(text);
  return mappings->list != 0;
}

int open_mappings(struct mappings *mappings) {
  struct query query = {.size = sizeof query, .query_address = (uintptr_t)mappings};
  mappings->file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (mappings->file < 0) return 0;
  if (ioctl(mappings->file, QUERY, &query) == 0) return 1;
  close(mappings->file);
  mappings->file = -1;
  return read_mappings(mappings);
}

int mapping_at(const struct mappings *mappings, uintptr_t address, struct mapping *found) {
  if (mappings->file >= 0) {
    struct query query = {.size = sizeof query, .query_address = address};
    if (ioctl(mappings->file, QUERY, &query) != 0) return 0;
    found->range.start = query.start;
    found->range.end = query.end;
    found->is_writable = (query.flags & IS_WRITABLE) == IS_WRITABLE;
    found->is_executable = (query.flags & IS_EXECUTABLE) != 0;
    return 1;
  }
  size_t low = 0, high = mappings->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (address >= mappings->list[middle].range.end) low = middle + 1;
    else high = middle;
  }
  if (low == mappings->count || address < mappings->list[low].range.start) return 0;
  *found = mappings->list[low];
  return 1;
}

void close_mappings(struct mappings *mappings) {
  free(mappings->list);
  if (mappings->file >= 0) close(mappings->file);
}
