/*
 * Libraries of Windows: what is at an address, the names that they export, and
 * their unwind tables (PE/COFF specification; x64 exception handling). All of it
 * is read from memory, without the locks of the system's loader.
 */
#include "windows.h"

/* Places in an image: of the offset of the PE header, and behind it. */
enum { HEADER_OFFSET = 60, IMAGE_SIZE = 24 + 56, EXPORTS = 24 + 112, EXCEPTIONS = EXPORTS + 24 };
/* The longest function that an address is taken to be in, in bytes, where no table says where it ends. */
enum { LONGEST = 4096 };

static uint32_t word(uintptr_t at) { return *(const uint32_t *)at; }

static uintptr_t header_of(uintptr_t base) { return base + word(base + HEADER_OFFSET); }

void smf_list_libraries(void) {}

/* The last library that was found. Only the thread that writes a report uses it. */
static struct library last;

void smf_forget_library(void) { last = (struct library){0}; }

/* Finds the library or program with the address inside. Returns whether there is one. */
int smf_library_at(uintptr_t address, struct library *library) {
  if (address - last.start < last.end - last.start) {
    *library = last;
    return 1;
  }
  struct region region;
  if (smf_system.query(address, &region, sizeof region) == 0 || region.type != IMAGE) return 0;
  uintptr_t base = region.allocation;
  if (!smf_is_readable(base) || *(const uint16_t *)base != 0x5a4d || !smf_is_readable(header_of(base))) return 0;
  uintptr_t header = header_of(base), exports = word(header + EXPORTS);
  last = (struct library){
      .name = exports ? (const char *)base + word(base + exports + 12) : "a library without a name",
      .start = base,
      .end = base + word(header + IMAGE_SIZE),
      .frames = word(header + EXCEPTIONS) ? (const uint8_t *)base + word(header + EXCEPTIONS) : 0,
      .base = base,
  };
  *library = last;
  return 1;
}

/* Whether it is the program: the process's block (PEB) says where that is. */
int smf_is_program(const struct library *library) {
  uintptr_t process = *(uintptr_t __seg_gs *)0x60;
  return library->base == *(const uintptr_t *)(process + 16);
}

/* The start of the function with the address inside, as the unwind tables have it; 0 if they do not. */
static uintptr_t start_of(uintptr_t address) {
  enum { CHAINED = 4 };
  uintptr_t base;
  const uint32_t *entry = smf_system.function_entry(address, &base, 0);
  /* A part of a function leads to the part before it. */
  for (int part = 0; entry && part < 32; part++) {
    const uint8_t *unwind = (const uint8_t *)base + entry[2];
    if (!(unwind[0] >> 3 & CHAINED)) return base + entry[0];
    entry = (const uint32_t *)(unwind + 4 + 2 * ((unwind[2] + 1) & ~1));
  }
  return 0;
}

/* Finds the exported function with the address inside. Returns whether there is one. */
int smf_library_function(const struct library *library, uintptr_t address, struct place *place) {
  uintptr_t base = library->base, header = header_of(base);
  uint32_t exports = word(header + EXPORTS), size = word(header + EXPORTS + 4), rva = (uint32_t)(address - base);
  if (!exports) return 0;
  const uint32_t *functions = (const uint32_t *)(base + word(base + exports + 28));
  const uint32_t *names = (const uint32_t *)(base + word(base + exports + 32));
  const uint16_t *ordinals = (const uint16_t *)(base + word(base + exports + 36));
  uint32_t count = word(base + exports + 24), nearest = 0, found = 0;
  for (uint32_t index = 0; index < count; index++) {
    uint32_t function = functions[ordinals[index]];
    /* An address among the exports is the name of a function in another library. */
    if (function > rva || function <= nearest || function - exports < size) continue;
    nearest = function;
    found = index;
  }
  uintptr_t start = start_of(address);
  if (!nearest || (start ? base + nearest < start : rva - nearest >= LONGEST)) return 0;
  const char *name = (const char *)base + names[found];
  *place = (struct place){.name = name, .name_size = smf_size_of(name), .distance = rva - nearest, .start = base + nearest};
  return 1;
}

/* Where a function begins to work: some only jump to the one that does. */
static uintptr_t end_of_jumps(uintptr_t function) {
  for (int jump = 0; jump < 3 && *(const uint8_t *)function == 0xe9; jump++) {
    function += 5 + (uintptr_t)(intptr_t) * (const int32_t *)(function + 1);
  }
  return function;
}

/* Whether an address is in the function that an exported one with this name jumps to. */
int smf_is_behind_export(const struct library *library, uintptr_t address, const char *name) {
  uintptr_t base = library->base, start = start_of(address);
  uint32_t exports = word(header_of(base) + EXPORTS);
  if (!exports || !start) return 0;
  const uint32_t *functions = (const uint32_t *)(base + word(base + exports + 28));
  const uint32_t *names = (const uint32_t *)(base + word(base + exports + 32));
  const uint16_t *ordinals = (const uint16_t *)(base + word(base + exports + 36));
  for (uint32_t index = 0; index < word(base + exports + 24); index++) {
    const char *found = (const char *)base + names[index];
    size_t at = 0;
    while (found[at] && found[at] == name[at]) at++;
    if (found[at] == name[at]) return end_of_jumps(base + functions[ordinals[index]]) == start;
  }
  return 0;
}

/* Where a frame is in a block that catches exceptions; only the thread that writes a report uses it. */
static int is_in_handled_block;

/* Whether the tables of a function (`__except` blocks of C) have one around an address, as an offset in its library. */
static int has_block(const uint32_t *data, uint32_t offset) {
  uint32_t count = smf_is_readable((uintptr_t)data) ? data[0] : 0;
  if (count == 0 || count > 64 || !smf_is_readable((uintptr_t)(data + 4 * count))) return 0;
  for (uint32_t index = 0; index < count; index++) {
    const uint32_t *block = data + 1 + 4 * index;
    /* Other languages have other tables, and so have checks of the stack: they do not look like this one. */
    if (block[0] >= block[1]) return 0;
    if (offset >= block[0] && offset < block[1] && block[3] != 0) return 1;
  }
  return 0;
}

/*
 * Changes a frame that is in no module to that of the caller, by unwind tables:
 * libraries have them, and the engine for the code that it makes. Returns 0 where
 * there are none, and −1 where nobody has called the function.
 */
int smf_library_caller(const struct library *library, struct frame *frame) {
  enum { CATCHES = 1, FULL = 0x10000b };
  static struct context context;
  uintptr_t pc = frame->pc - (frame->is_return ? 1 : 0), base, stack = frame->registers[STACK_POINTER];
  const uint32_t *entry = smf_system.function_entry(pc, &base, 0);
  if (!smf_is_readable(stack)) return 0;
  if (!entry && (!library || frame->is_return)) return 0;
  context.flags = FULL;
  smf_context_of(frame, &context);
  if (entry) {
    const uint32_t *data = 0;
    uintptr_t establisher;
    if (smf_system.unwind(CATCHES, base, frame->pc, entry, &context, &data, &establisher, 0) && data) {
      is_in_handled_block = has_block(data, (uint32_t)(pc - base));
    }
  } else {
    /* A function that calls no other and has no frame. */
    context.rip = *(const uintptr_t *)stack;
    context.registers[RSP] += 8;
  }
  if (context.rip == 0) return -1;
  if (context.registers[RSP] <= stack) return 0;
  uintptr_t searched = frame->searched, distance = frame->distance;
  smf_first_frame(frame, &context);
  frame->searched = searched;
  frame->distance = distance;
  frame->is_return = 1;
  return 1;
}

/*
 * Whether exceptions pass a frame on their way to the blocks that catch them: in a
 * module, only if there is a table for it, and never in code of the program or of an
 * engine, whose outermost blocks only end the process. The innermost function needs no
 * table if it has no frame.
 */
static int is_passed(const struct frame *frame, int is_module, uintptr_t pc) {
  struct library library;
  uintptr_t base;
  if (!frame->is_return) return 1;
  if (is_module) return smf_system.function_entry(pc, &base, 0) != 0;
  return smf_library_at(pc, &library) && !smf_is_program(&library);
}

/*
 * Whether somebody on the stack catches an exception: a library that a module has
 * called, such as that of IsBadReadPtr, or a module with tables of Windows. Blocks of
 * the system's libraries that start threads do not count: no module has called those.
 */
int smf_is_caught(struct context *context) {
  enum { DEPTH = 64 };
  struct frame frame;
  int is_caught = 0, has_library_block = 0;
  smf_first_frame(&frame, context);
  for (int depth = 0; depth < DEPTH && !is_caught; depth++) {
    uintptr_t pc = frame.pc - (frame.is_return ? 1 : 0);
    int is_module = smf_module_at(pc) != 0;
    if (is_module) is_caught = has_library_block;
    is_in_handled_block = 0;
    if (!is_passed(&frame, is_module, pc) || smf_caller(&frame) <= 0) break;
    if (is_module) is_caught |= is_in_handled_block;
    else has_library_block |= is_in_handled_block;
  }
  /* Wine has a list of its own, whose records are on the stack; on Windows it is empty. */
  uintptr_t record = *(uintptr_t __seg_gs *)0;
  return is_caught || (record > context->registers[RSP] && record < frame.registers[STACK_POINTER]);
}

/*
 * Whether the system would lose its way from an exception to the blocks that may catch
 * it: where a function of a module has no table, it takes any word for the return address.
 */
int smf_is_lost(struct context *context) {
  enum { DEPTH = 64 };
  struct frame frame;
  uintptr_t base;
  smf_first_frame(&frame, context);
  for (int depth = 0; depth < DEPTH; depth++) {
    uintptr_t pc = frame.pc - (frame.is_return ? 1 : 0);
    int is_module = smf_module_at(pc) != 0;
    if (is_module && !smf_system.function_entry(pc, &base, 0)) {
      uintptr_t stack = frame.registers[STACK_POINTER];
      if (frame.is_return || !smf_is_readable(stack)) return 1;
      return !smf_system.function_entry(*(const uintptr_t *)stack - 1, &base, 0);
    }
    if (!is_module && frame.is_return && !smf_library_at(pc, &(struct library){0})) return 0;
    if (!smf_caller(&frame)) return 0;
  }
  return 0;
}
