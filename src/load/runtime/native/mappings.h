/*
 * The mappings of the process's memory.
 */
#include <stddef.h>
#include <stdint.h>

/* Addresses from `start` up to but not including `end`. */
struct range {
  uintptr_t start, end;
};

/* A mapping of memory, as a line of /proc/self/maps has it, or as its ioctl tells. */
struct mapping {
  struct range range;
  int is_writable, is_executable;
};

/* All mappings. */
struct mappings {
  /* /proc/self/maps where the kernel answers queries; else -1. */
  int file;
  /* In ascending order, where it does not. */
  struct mapping *list;
  size_t count;
};

/* Opens the mappings for queries; reads them all if the kernel answers none. Returns 0 if that fails. */
__attribute__((visibility("hidden"))) int open_mappings(struct mappings *);

/* Finds the mapping that contains an address. Returns 0 if there is none. */
__attribute__((visibility("hidden"))) int mapping_at(const struct mappings *, uintptr_t address, struct mapping *found);

__attribute__((visibility("hidden"))) void close_mappings(struct mappings *);
