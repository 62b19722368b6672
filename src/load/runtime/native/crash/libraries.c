/* Shared libraries, and the names that they export. */
#include "crash.h"
#include <dlfcn.h>

/* Only glibc 2.35 and newer has it: a look-up without locks (The GNU C Library, "Dynamic Linker Introspection"). */
#pragma weak _dl_find_object

/* Finds the library or program with the address inside. Returns whether there is one. With an older C library there is never one. */
int smf_library_at(uintptr_t address, struct library *library) {
  struct dl_find_object found;
  if (!_dl_find_object || _dl_find_object((void *)address, &found)) return 0;
  *library = (struct library){
      .name = found.dlfo_link_map->l_name,
      .start = (uintptr_t)found.dlfo_map_start,
      .end = (uintptr_t)found.dlfo_map_end,
      .frames = found.dlfo_eh_frame,
      .map = found.dlfo_link_map,
  };
  return 1;
}

/* Whether it is the program, which has no name among the libraries. */
int smf_is_program(const struct library *library) { return !library->name || !library->name[0]; }

/* The address of a table. glibc makes addresses of the offsets in the file, but not for every library. */
static uintptr_t table(const struct library *library, ElfW(Addr) value) {
  return value < library->start ? library->map->l_addr + value : value;
}

/* The number of symbols, which only the hash table tells: its longest chain's end (DT_GNU_HASH). */
static size_t count_symbols(const uint32_t *hash) {
  uint32_t buckets = hash[0], first = hash[1], last = 0;
  const uint32_t *bucket = hash + 4 + hash[2] * (sizeof(ElfW(Addr)) / 4), *chains = bucket + buckets;
  for (uint32_t index = 0; index < buckets; index++) {
    if (bucket[index] > last) last = bucket[index];
  }
  if (last < first) return first;
  while (!(chains[last - first] & 1)) last++;
  return last + 1;
}

/* Finds the exported function with the address inside. Returns whether there is one. */
int smf_library_function(const struct library *library, uintptr_t address, struct place *place) {
  const ElfW(Sym) *symbols = 0;
  const char *names = 0;
  const uint32_t *hash = 0;
  for (const ElfW(Dyn) *each = library->map->l_ld; each && each->d_tag != DT_NULL; each++) {
    if (each->d_tag == DT_SYMTAB) symbols = (void *)table(library, each->d_un.d_ptr);
    if (each->d_tag == DT_STRTAB) names = (void *)table(library, each->d_un.d_ptr);
    if (each->d_tag == DT_GNU_HASH) hash = (void *)table(library, each->d_un.d_ptr);
  }
  if (!symbols || !names || !hash) return 0;
  size_t count = count_symbols(hash);
  for (size_t index = 0; index < count; index++) {
    const ElfW(Sym) *symbol = symbols + index;
    uintptr_t distance = address - library->map->l_addr - symbol->st_value;
    if ((symbol->st_info & 15) != STT_FUNC || !symbol->st_shndx || distance >= symbol->st_size) continue;
    const char *name = names + symbol->st_name;
    size_t size = 0;
    while (name[size]) size++;
    *place = (struct place){name, size, distance, address - distance, symbol->st_size};
    return 1;
  }
  return 0;
}
