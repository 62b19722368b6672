/*
 * The modules whose crashes are reported. The loader adds and removes them; a
 * signal handler reads them at any time: a module is complete before one store
 * makes it visible, and its memory stays while a handler may be reading it.
 */
#include "crash.h"
#include <stdlib.h>
#include <string.h>

/* The words of a symbol's record (docs/format.md), and the bytes of the word that has its type, binding and visibility. */
enum { NAME_OFFSET = 0, KIND = 2, VALUE = 4, SIZE = 6 };
/* The binding of symbols that only their own file knows. */
enum { LOCAL = 0 };

/* How many freed modules are remembered by name, for calls of code that is not there any more. */
enum { REMEMBERED = 16 };

/* The longest function of a library that an address is taken to be in, in bytes, where nobody says where functions end. */
enum { LONGEST = 4096 };

static struct module *modules;
static struct module *freed[REMEMBERED];
static unsigned freed_count;
/* Guards the lists against other changes; handlers do not take it. */
static int lock;
int smf_readers;

int smf_install(void);

/*
 * Adds a module before any of its code runs. `facts` is followed by the groups;
 * `symbols` has the records and the names; `debug` the debug information, if it is
 * not to be read from the file; `addresses` and `imports` the addresses of imports
 * and the indices of their symbols; `text` the module's name and its path. All of it
 * is copied. Returns null if memory is exhausted or signals cannot be handled.
 */
__attribute__((visibility("default"))) struct module *smf_crash_add(const struct facts *facts, const void *symbols, size_t symbols_size,
                                                                      const void *debug, size_t debug_size,
                                                                      const uint64_t *addresses, const uint32_t *imports,
                                                                      const char *text) {
  size_t groups_size = facts->groups * sizeof(struct group);
  struct module *module = malloc(sizeof *module + groups_size + facts->name_size + facts->path_size + 1);
  size_t addresses_size = facts->imports * sizeof *addresses, imports_size = facts->imports * sizeof *imports;
  char *copy = malloc(addresses_size + symbols_size + imports_size + debug_size + 1);
  if (!module || !copy || smf_install()) {
    free(module);
    free(copy);
    return 0;
  }
  module->facts = *facts;
  memcpy(module->groups, facts + 1, groups_size);
  module->name = (char *)module->groups + groups_size;
  module->path = module->name + facts->name_size;
  memcpy((char *)module->name, text, facts->name_size + facts->path_size);
  ((char *)module->path)[facts->path_size] = 0;
  /* The names end anywhere, so what is aligned stands before them. */
  module->copy = copy;
  module->addresses = (uint64_t *)copy;
  memcpy(copy, addresses, addresses_size);
  module->imports = (uint32_t *)(copy += addresses_size);
  memcpy(copy, imports, imports_size);
  module->symbols = (uint32_t *)(copy += imports_size);
  memcpy(copy, symbols, symbols_size);
  module->symbols_size = symbols_size;
  module->debug = debug_size ? (uint8_t *)(copy += symbols_size) : 0;
  if (debug_size) memcpy(copy, debug, debug_size);
  smf_list_libraries();
  smf_enter(&lock);
  module->next = modules;
  __atomic_store_n(&modules, module, __ATOMIC_RELEASE);
  smf_leave(&lock);
  return module;
}

/* Removes a module before its memory is freed. Its name is remembered for a while. */
__attribute__((visibility("default"))) void smf_crash_remove(struct module *module) {
  smf_enter(&lock);
  struct module **link = &modules;
  while (*link != module) link = &(*link)->next;
  __atomic_store_n(link, module->next, __ATOMIC_SEQ_CST);
  void *copy = module->copy;
  __atomic_store_n(&module->symbols, 0, __ATOMIC_SEQ_CST);
  struct module **slot = &freed[freed_count++ % REMEMBERED], *oldest = *slot;
  __atomic_store_n(slot, module, __ATOMIC_SEQ_CST);
  smf_leave(&lock);
  /* A handler that began before may still read them; then they stay, since it reports a crash. */
  if (__atomic_load_n(&smf_readers, __ATOMIC_SEQ_CST)) return;
  free(copy);
  free(oldest);
}

/* The module with the address in its image; null if there is none. */
const struct module *smf_module_at(uintptr_t address) {
  struct module *module = __atomic_load_n(&modules, __ATOMIC_ACQUIRE);
  while (module && address - module->facts.start >= module->facts.size) {
    module = __atomic_load_n(&module->next, __ATOMIC_ACQUIRE);
  }
  return module;
}

/* The module that had the address in its image when it was freed, the last if there were several; null if there is none. */
const struct module *smf_freed_module_at(uintptr_t address) {
  unsigned count = __atomic_load_n(&freed_count, __ATOMIC_ACQUIRE);
  for (unsigned age = 1; age <= REMEMBERED && age <= count; age++) {
    const struct module *module = __atomic_load_n(&freed[(count - age) % REMEMBERED], __ATOMIC_ACQUIRE);
    if (module && address - module->facts.start < module->facts.size) return module;
  }
  return 0;
}

int smf_is_code(const struct module *module, uintptr_t address) {
  return module && address - module->facts.start - module->facts.code < module->facts.code_size;
}

static uint64_t wide(const uint32_t *words) { return words[0] | (uint64_t)words[1] << 32; }

/* Turns an address in a module into an offset in the file's image. Returns whether a section is there. */
int smf_offset_of(const struct module *module, uintptr_t address, uint64_t *offset) {
  const struct group *group = module->groups, *end = group + module->facts.groups;
  uint64_t distance = address - module->facts.start;
  while (group < end && distance - group->delta - group->start >= group->end - group->start) group++;
  if (group == end) return 0;
  *offset = distance - group->delta;
  return 1;
}

/* Finds the name of a symbol. Returns whether it has one. */
static int name_of(const struct module *module, const uint32_t *symbol, struct place *place) {
  const struct facts *facts = &module->facts;
  const char *names = (const char *)(module->symbols + facts->symbols * facts->step);
  size_t room = module->symbols_size - facts->symbols * facts->step * 4, at = symbol[NAME_OFFSET];
  place->name = names + at;
  place->name_size = 0;
  while (at + place->name_size < room && place->name[place->name_size]) place->name_size++;
  return place->name_size > 0;
}

/* Finds the import that an address of a library belongs to, which the module has called. Returns whether one is near. */
int smf_import_before(const struct module *module, uintptr_t address, struct place *place) {
  uint64_t nearest = LONGEST, found = module->facts.imports;
  for (uint64_t index = 0; module->symbols && index < module->facts.imports; index++) {
    uint64_t distance = address - module->addresses[index];
    if (distance >= nearest) continue;
    nearest = distance;
    found = index;
  }
  if (found == module->facts.imports) return 0;
  *place = (struct place){.distance = nearest, .start = address - nearest};
  return name_of(module, module->symbols + module->imports[found] * module->facts.step, place);
}

/* Finds the function of a module that has the address inside. Returns whether there is one. */
int smf_function_at(const struct module *module, uintptr_t address, struct place *place) {
  const struct facts *facts = &module->facts;
  const uint32_t *symbols = module->symbols, *found = 0;
  uint64_t offset, start = 0;
  if (!symbols || !smf_is_code(module, address) || !smf_offset_of(module, address, &offset)) return 0;
  for (uint64_t index = 0; index < facts->symbols; index++) {
    const uint32_t *symbol = symbols + index * facts->step;
    uint64_t value = wide(symbol + VALUE), size = wide(symbol + SIZE);
    if ((symbol[KIND] & 0xff) != facts->function_type || value > offset) continue;
    /* A function without a size, as assemblers make them, reaches to the next one, unless one with a size is there. */
    if (size ? offset - value >= size : !value || (found && (wide(found + SIZE) || value < start))) continue;
    if (found && size && wide(found + SIZE) && value < start) continue;
    /* Of several names for a function, the one that others know it by. */
    if (found && value == start && (symbol[KIND] >> 8 & 0xff) == LOCAL) continue;
    found = symbol;
    start = value;
  }
  if (!found) return 0;
  *place = (struct place){
      .distance = offset - start, .start = address - (offset - start), .size = wide(found + SIZE)};
  return name_of(module, found, place);
}
