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

/* A function of a module: where its name is among the names, and twice its offset in the image, plus 1 if others know it. */
struct function {
  uint32_t name, size;
  uint64_t place;
};

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

static uint64_t wide(const uint32_t *words) { return words[0] | (uint64_t)words[1] << 32; }

/* Whether a symbol's record is of a function that an address can be in. */
static int is_function(const struct facts *facts, const uint32_t *symbol) {
  return (symbol[KIND] & 0xff) == facts->function_type && (wide(symbol + VALUE) || wide(symbol + SIZE));
}

/* Copies what reports need of the records of symbols. All of them, 56 bytes each, would cost as much as a third of a load. */
static void copy_functions(const struct facts *facts, const uint32_t *symbols, struct function *into) {
  for (uint64_t index = 0; index < facts->symbols; index++) {
    const uint32_t *symbol = symbols + index * facts->step;
    if (!is_function(facts, symbol)) continue;
    uint64_t size = wide(symbol + SIZE);
    int is_local = (symbol[KIND] >> 8 & 0xff) == LOCAL;
    *into++ = (struct function){
        symbol[NAME_OFFSET], size < UINT32_MAX ? (uint32_t)size : UINT32_MAX, wide(symbol + VALUE) << 1 | !is_local};
  }
}

/*
 * Adds a module before any of its code runs. `facts` is followed by the groups, and
 * gets the size of the copies; `symbols` has the records and the names; `debug` the
 * debug information, if it is not to be read from the file; `addresses` and `imports`
 * the addresses of imports and the indices of their symbols; `text` the module's name
 * and its path. What is needed of it is copied. Returns null if memory is exhausted or
 * signals cannot be handled.
 */
__attribute__((visibility("default"))) struct module *smf_crash_add(struct facts *facts, const void *symbols, size_t symbols_size,
                                                                      const void *debug, size_t debug_size,
                                                                      const uint64_t *addresses, const uint32_t *imports,
                                                                      const char *text) {
  size_t groups_size = facts->groups * sizeof(struct group), count = 0;
  const uint32_t *records = symbols;
  size_t records_size = facts->symbols * facts->step * sizeof *records, names_size = symbols_size - records_size;
  for (uint64_t index = 0; index < facts->symbols; index++) count += is_function(facts, records + index * facts->step);
  struct module *module = malloc(sizeof *module + groups_size + facts->name_size + facts->path_size + 1);
  size_t addresses_size = facts->imports * sizeof *addresses, imports_size = facts->imports * sizeof *imports;
  size_t functions_size = count * sizeof(struct function);
  facts->copied = addresses_size + functions_size + imports_size + names_size + debug_size;
  char *copy = malloc(facts->copied + 1);
  if (!module || !copy || smf_install()) {
    free(module);
    free(copy);
    return 0;
  }
  module->facts = *facts;
  module->quarantined = 0;
  memcpy(module->groups, facts + 1, groups_size);
  module->name = (char *)module->groups + groups_size;
  module->path = module->name + facts->name_size;
  memcpy((char *)module->name, text, facts->name_size + facts->path_size);
  ((char *)module->path)[facts->path_size] = 0;
  /* The names end anywhere, so what is aligned stands before them. */
  module->copy = copy;
  module->addresses = (uint64_t *)copy;
  memcpy(copy, addresses, addresses_size);
  module->functions = (struct function *)(copy += addresses_size);
  module->function_count = count;
  copy_functions(facts, records, (struct function *)copy);
  uint32_t *import_names = (uint32_t *)(copy += functions_size);
  for (uint64_t index = 0; index < facts->imports; index++) {
    import_names[index] = records[imports[index] * facts->step + NAME_OFFSET];
  }
  module->import_names = import_names;
  module->names = copy += imports_size;
  module->names_size = names_size;
  memcpy(copy, (const char *)symbols + records_size, names_size);
  module->debug = debug_size ? (uint8_t *)(copy += names_size) : 0;
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
  __atomic_store_n(&module->functions, 0, __ATOMIC_SEQ_CST);
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

/* The word that says whether the module at an address may be called; null if there is no module. */
__attribute__((visibility("default"))) uint32_t *smf_quarantine(uintptr_t address) {
  struct module *module = (struct module *)smf_module_at(address);
  return module ? &module->quarantined : 0;
}

/* The module that a word says whether it may be called; null if the word is nobody's. */
const struct module *smf_quarantined_by(const uint32_t *word) {
  struct module *module = __atomic_load_n(&modules, __ATOMIC_ACQUIRE);
  while (module && &module->quarantined != word) module = __atomic_load_n(&module->next, __ATOMIC_ACQUIRE);
  return module;
}

/* Says whether the module at an address may be called: 0 or 1, or 2 to ask only. Returns what was said before. */
__attribute__((visibility("default"))) uint32_t smf_set_quarantine(uintptr_t address, uint32_t value) {
  uint32_t *word = smf_quarantine(address);
  if (!word) return 0;
  return value > 1 ? __atomic_load_n(word, __ATOMIC_SEQ_CST) : __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
}

int smf_is_code(const struct module *module, uintptr_t address) {
  return module && address - module->facts.start - module->facts.code < module->facts.code_size;
}

/* Turns an address in a module into an offset in the file's image. Returns whether a section is there. */
int smf_offset_of(const struct module *module, uintptr_t address, uint64_t *offset) {
  const struct group *group = module->groups, *end = group + module->facts.groups;
  uint64_t distance = address - module->facts.start;
  while (group < end && distance - group->delta - group->start >= group->end - group->start) group++;
  if (group == end) return 0;
  *offset = distance - group->delta;
  return 1;
}

/* Finds a name by its place among the names. Returns whether it has a letter. */
static int name_at(const struct module *module, size_t at, struct place *place) {
  place->name = module->names + at;
  place->name_size = 0;
  while (at + place->name_size < module->names_size && place->name[place->name_size]) place->name_size++;
  return place->name_size > 0;
}

/* Finds the import that an address of a library belongs to, which the module has called. Returns whether one is near. */
int smf_import_before(const struct module *module, uintptr_t address, struct place *place) {
  uint64_t nearest = LONGEST, found = module->facts.imports;
  for (uint64_t index = 0; module->functions && index < module->facts.imports; index++) {
    uint64_t distance = address - module->addresses[index];
    if (distance >= nearest) continue;
    nearest = distance;
    found = index;
  }
  if (found == module->facts.imports) return 0;
  *place = (struct place){.distance = nearest, .start = address - nearest};
  return name_at(module, module->import_names[found], place);
}

/* Finds the function of a module that has the address inside. Returns whether there is one. */
int smf_function_at(const struct module *module, uintptr_t address, struct place *place) {
  const struct function *functions = module->functions, *found = 0;
  uint64_t offset, start = 0;
  if (!functions || !smf_is_code(module, address) || !smf_offset_of(module, address, &offset)) return 0;
  for (size_t index = 0; index < module->function_count; index++) {
    const struct function *function = functions + index;
    uint64_t value = function->place >> 1, size = function->size;
    if (value > offset) continue;
    /* A function without a size, as assemblers make them, reaches to the next one, unless one with a size is there. */
    if (size ? offset - value >= size : found && (found->size || value < start)) continue;
    if (found && size && found->size && value < start) continue;
    /* Of several names for a function, the one that others know it by. */
    if (found && value == start && !(function->place & 1)) continue;
    found = function;
    start = value;
  }
  if (!found) return 0;
  *place = (struct place){.distance = offset - start, .start = address - (offset - start), .size = found->size};
  return name_at(module, found->name, place);
}
