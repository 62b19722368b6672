/*
 * Shared libraries, and the names that they export. glibc 2.35 and newer tells in
 * a signal handler which library is at an address; with older ones and other C
 * libraries there is a list, which is made again when a module is loaded.
 */
#include "crash.h"
#include <dlfcn.h>

/* A look-up without locks (The GNU C Library, "Dynamic Linker Introspection"). */
#pragma weak _dl_find_object

enum { MOST = 128 };

/* The libraries of the process: the list that handlers read, and room for the next one. */
static struct list {
  int count;
  struct library libraries[MOST];
} lists[2], *list;
static int lock;

static int add(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct list *into = argument;
  if (into->count == MOST) return 1;
  struct library *library = &into->libraries[into->count++];
  *library = (struct library){.name = info->dlpi_name, .start = UINTPTR_MAX, .base = info->dlpi_addr};
  for (int index = 0; index < info->dlpi_phnum; index++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[index];
    uintptr_t start = info->dlpi_addr + header->p_vaddr;
    if (header->p_type == PT_LOAD && start < library->start) library->start = start;
    if (header->p_type == PT_LOAD && start + header->p_memsz > library->end) library->end = start + header->p_memsz;
    if (header->p_type == PT_GNU_EH_FRAME) library->frames = (const uint8_t *)start;
    if (header->p_type == PT_DYNAMIC) library->dynamic = (const ElfW(Dyn) *)start;
  }
  return 0;
}

/* Makes the list of libraries, where the C library does not tell in a handler. Not for handlers: it takes locks. */
void smf_list_libraries(void) {
  if (_dl_find_object) return;
  smf_enter(&lock);
  struct list *other = list == lists ? lists + 1 : lists;
  /* A handler that reads the older one has a crash to report: afterwards it does not matter. */
  if (!__atomic_load_n(&smf_readers, __ATOMIC_SEQ_CST)) {
    other->count = 0;
    dl_iterate_phdr(add, other);
    __atomic_store_n(&list, other, __ATOMIC_RELEASE);
  }
  smf_leave(&lock);
}

/* Finds the library or program with the address inside. Returns whether there is one. */
int smf_library_at(uintptr_t address, struct library *library) {
  if (_dl_find_object) {
    struct dl_find_object found;
    if (_dl_find_object((void *)address, &found)) return 0;
    *library = (struct library){
        .name = found.dlfo_link_map->l_name,
        .start = (uintptr_t)found.dlfo_map_start,
        .end = (uintptr_t)found.dlfo_map_end,
        .frames = found.dlfo_eh_frame,
        .base = found.dlfo_link_map->l_addr,
        .dynamic = found.dlfo_link_map->l_ld,
    };
    return 1;
  }
  const struct list *known = __atomic_load_n(&list, __ATOMIC_ACQUIRE);
  for (int index = 0; known && index < known->count; index++) {
    *library = known->libraries[index];
    if (address >= library->start && address < library->end) return 1;
  }
  return 0;
}

/* Whether it is the program, which has no name among the libraries. */
int smf_is_program(const struct library *library) { return !library->name || !library->name[0]; }

/* The address of a table. glibc makes addresses of the offsets in the file, but not for every library. */
static const void *table(const struct library *library, ElfW(Addr) value) {
  return (const void *)(value < library->start ? library->base + value : value);
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
  for (const ElfW(Dyn) *each = library->dynamic; each && each->d_tag != DT_NULL; each++) {
    if (each->d_tag == DT_SYMTAB) symbols = table(library, each->d_un.d_ptr);
    if (each->d_tag == DT_STRTAB) names = table(library, each->d_un.d_ptr);
    if (each->d_tag == DT_GNU_HASH) hash = table(library, each->d_un.d_ptr);
  }
  if (!symbols || !names || !hash) return 0;
  size_t count = count_symbols(hash);
  for (size_t index = 0; index < count; index++) {
    const ElfW(Sym) *symbol = symbols + index;
    uintptr_t distance = address - library->base - symbol->st_value;
    if ((symbol->st_info & 15) != STT_FUNC || !symbol->st_shndx || distance >= symbol->st_size) continue;
    const char *name = names + symbol->st_name;
    size_t size = 0;
    while (name[size]) size++;
    *place = (struct place){name, size, distance, address - distance, symbol->st_size};
    return 1;
  }
  return 0;
}

/*
 * Changes a frame in a library to that of the caller, by the library's unwind
 * tables. Returns 0 if they do not tell, and −1 if nobody has called the function.
 */
int smf_library_caller(const struct library *library, struct frame *frame) {
  const uint8_t *record =
      library && library->frames ? smf_find_record_by_index(library->frames, frame->pc - (frame->is_return ? 1 : 0)) : 0;
  return record ? smf_apply_record(record, frame) : 0;
}
