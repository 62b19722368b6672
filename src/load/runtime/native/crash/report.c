/* The parts of a report that all systems share: accesses to memory, and the frames. */
#include "guard.h"

/* How many frames are looked at, and how many lines are written at most. */
enum { WALKED = 4096, WRITTEN = 64 };

static void say_module(const struct module *module) {
  smf_say_name(module->name, module->facts.name_size);
  smf_say(", version ");
  smf_say_number(module->facts.version);
}

/* Finds what an address is in. `module` and `library` get the one that it is. */
enum kind smf_kind_of(uintptr_t pc, const struct module **module, struct library *library) {
  if ((*module = smf_module_at(pc))) return IN_MODULE;
  if (smf_is_guard(pc + 1)) return IN_GUARD;
  int found = smf_library_at(pc, library);
  if (found && !smf_is_program(library)) return IN_LIBRARY;
  if (found) return IN_PROGRAM;
  /* Other code may be there by now, such as the engine's. */
  return !smf_is_readable(pc) && (*module = smf_freed_module_at(pc)) ? IN_FREED_MODULE : IN_OTHER_CODE;
}

/* A fault so near to the stack pointer, in bytes, is one of a stack that has no more room. */
#define NEAR_STACK 0x11000ul

int smf_is_near_stack(uintptr_t address, uintptr_t stack) { return address - (stack - NEAR_STACK) < 2 * NEAR_STACK; }

/*
 * Says which access by the code at `pc` has failed. Returns what to do next: `for_file`
 * if it is not null, because the memory is a file's.
 */
const char *smf_say_access(uintptr_t pc, const char *access, uintptr_t address, const char *for_file) {
  smf_say(", ");
  smf_say(access);
  smf_say(" address ");
  smf_say_hex(address);
  const struct module *module;
  struct library library;
  if (smf_kind_of(pc, &module, &library) == IN_FREED_MODULE) {
    return "keep the module loaded for as long as native code has addresses in it: addressOf, pin, keepVersions";
  }
  if (for_file) return for_file;
  if (address < 65536) return "a null pointer was used: compare the arguments and their types with the declaration";
  return "look for a pointer to memory that was freed, and compare the definition with the declaration in C";
}

/* The frames of a stack, down to the last one in a module. */
struct extent {
  int frames;
  /* Whether frames that are neither of modules nor of libraries follow. */
  int is_called;
};

static struct extent extent_of(void *context) {
  struct frame frame;
  struct extent extent = {0, 0};
  smf_forget_frames();
  smf_first_frame(&frame, context);
  for (int count = 1; count <= WALKED; count++) {
    const struct module *module;
    struct library library;
    enum kind kind = smf_kind_of(frame.pc - (frame.is_return ? 1 : 0), &module, &library);
    int is_reported = (kind == IN_MODULE && module->facts.is_reported) || kind == IN_FREED_MODULE;
    /* A function behind a guard that has jumped to a library has no frame. */
    if (is_reported) extent = (struct extent){count, 0};
    else if (kind == IN_GUARD && extent.frames < count - 1) extent = (struct extent){count - 1, 0};
    else if (kind != IN_LIBRARY && kind != IN_GUARD && kind != IN_MODULE) extent.is_called = 1;
    if (!smf_caller(&frame)) break;
  }
  return extent;
}

/* Whether code of a module, or of one that was freed, is on the stack. */
int smf_has_module_frame(void *context) { return extent_of(context).frames > 0; }

static void say_place(const struct place *place) {
  smf_say_name(place->name, place->name_size);
  smf_say("+");
  smf_say_hex(place->distance);
}

/* Says where the source of an address is, if the module has debug information. */
static void say_source(const struct module *module, uintptr_t pc) {
  static struct source source;
  if (!smf_source_at(module, pc, &source)) return;
  smf_put('(');
  smf_say_name(source.path, source.size);
  smf_put(':');
  smf_say_number(source.line);
  smf_say(") ");
}

/* Finds the name by which a module has called code of a library that does not export it, such as strlen's for this processor. */
static int is_called_by_name(const struct frame *frame, uintptr_t pc, struct place *place) {
  struct frame caller = *frame;
  if (!smf_caller(&caller)) return 0;
  const struct module *module = smf_module_at(caller.pc - 1);
  return module && smf_import_before(module, pc, place);
}

/* Finds the function of a frame in a module or library. */
static int find_function(const struct frame *frame, enum kind kind, const struct module *module,
                         const struct library *library, struct place *place) {
  uintptr_t pc = frame->pc - (frame->is_return ? 1 : 0);
  if (kind == IN_MODULE) return smf_function_at(module, pc, place);
  return kind == IN_LIBRARY && (smf_library_function(library, pc, place) || is_called_by_name(frame, pc, place));
}

/* Writes the line of a frame in a module or library. */
static void say_frame(const struct frame *frame, enum kind kind, const struct module *module,
                      const struct library *library) {
  uintptr_t pc = frame->pc - (frame->is_return ? 1 : 0);
  struct place place;
  int is_known = find_function(frame, kind, module, library, &place);
  smf_say("    at ");
  if (is_known) {
    place.distance += frame->is_return ? 1 : 0;
    say_place(&place);
    smf_put(' ');
    if (kind == IN_MODULE) say_source(module, pc);
    smf_say("in ");
  }
  if (kind == IN_LIBRARY) {
    const char *name = smf_base_name(library->name);
    smf_say_name(name, smf_size_of(name));
    if (!is_known) {
      smf_say("+");
      smf_say_hex(frame->pc - library->base);
    }
  } else {
    if (!is_known) {
      smf_say("offset ");
      smf_say_hex(frame->pc - module->facts.start);
      smf_say(" of ");
    }
    say_module(module);
    if (kind == IN_FREED_MODULE) smf_say(", which was freed");
  }
  smf_say(" (");
  smf_say_hex(frame->pc);
  smf_say(")\n");
}

/* Writes the line for frames that are not native code of modules or libraries. */
static void say_others(int count) {
  if (count > 0) smf_say("    from JavaScript\n");
}

static void say_repeated(unsigned count) {
  if (count == 0) return;
  smf_say("    the same ");
  smf_say_number(count);
  smf_say(count == 1 ? " time more\n" : " times more\n");
}

/* How many offsets the command for lines of source has at most. */
enum { LISTED = 16 };

/*
 * Says how to find the lines of source that reports cannot read, for the frames of
 * the module that is the first on the stack.
 */
static void say_command(void *context, int frames) {
  struct frame frame;
  const struct module *first = 0;
  int listed = 0;
  smf_first_frame(&frame, context);
  for (int count = 1; count <= frames && listed < LISTED; count++) {
    uintptr_t pc = frame.pc - (frame.is_return ? 1 : 0);
    const struct module *module = smf_module_at(pc);
    uint64_t offset;
    if (module && module->path[0] && module->facts.has_other_lines && (!first || module == first) &&
        smf_offset_of(module, pc, &offset)) {
      if (!first) {
        smf_say("for lines of source: smf symbolize ");
        smf_say_name(module->path, module->facts.path_size);
      }
      first = module;
      smf_say(" ");
      smf_say_hex(offset);
      listed++;
    }
    if (!smf_caller(&frame)) break;
  }
  if (first) smf_say("\n");
}

/* Writes the frames of a crash. */
static void say_frames(void *context) {
  struct frame frame;
  smf_first_frame(&frame, context);
  uintptr_t previous = 0;
  unsigned repeated = 0, written = 0;
  int others = 0;
  struct extent extent = extent_of(context);
  for (int count = 1; written < WRITTEN; count++) {
    const struct module *module;
    struct library library;
    enum kind kind = smf_kind_of(frame.pc - (frame.is_return ? 1 : 0), &module, &library);
    int is_native = kind == IN_MODULE || kind == IN_LIBRARY || kind == IN_FREED_MODULE;
    if (is_native && frame.pc == previous) repeated++;
    else if (is_native) {
      say_repeated(repeated);
      say_others(others);
      repeated = others = 0;
      say_frame(&frame, kind, module, &library);
      if (written++ == 0) smf_flush();
    } else if (frame.is_return && kind != IN_GUARD) others++;
    previous = frame.pc;
    if (count == extent.frames || !smf_caller(&frame)) break;
  }
  say_repeated(repeated);
  if (written == WRITTEN) smf_say("    and more\n");
  else say_others(extent.is_called);
  say_command(context, extent.frames);
}

/* Ends a report behind its first line: writes the frames and what to do next. */
void smf_end_report(void *context, const char *next) {
  smf_say(")\n");
  say_frames(context);
  smf_say("next: ");
  smf_say(next);
  smf_say("\n");
  smf_flush();
}

/* Writes a frame of a crash that is survived: its parts, between tabs. */
static void describe_frame(const struct frame *frame, enum kind kind, const struct module *module,
                           const struct library *library) {
  uintptr_t pc = frame->pc - (frame->is_return ? 1 : 0);
  static struct source source;
  struct place place;
  int is_known = find_function(frame, kind, module, library, &place);
  if (is_known) smf_say_name(place.name, place.name_size);
  smf_put('\t');
  smf_say_hex(is_known ? place.distance + (frame->is_return ? 1 : 0)
                   : frame->pc - (kind == IN_MODULE ? module->facts.start : library->base));
  smf_put('\t');
  if (kind == IN_MODULE) smf_say_name(module->name, module->facts.name_size);
  else if (kind == IN_LIBRARY) smf_say_name(smf_base_name(library->name), smf_size_of(smf_base_name(library->name)));
  smf_put('\t');
  if (kind == IN_MODULE) smf_say_number(module->facts.version);
  smf_put('\t');
  int has_source = kind == IN_MODULE && smf_source_at(module, pc, &source);
  if (has_source) smf_say_name(source.path, source.size);
  smf_put('\t');
  if (has_source) smf_say_number(source.line);
  smf_put('\t');
  smf_say_hex(frame->pc);
}

/*
 * Writes the frames from one on: a line for each, with how often it is there in a row. They end at a guard, or, if
 * `is_native`, at the first one that is not native code of a module or library.
 */
void smf_describe_frames(struct frame frame, int is_native) {
  for (unsigned written = 0; written < WRITTEN && !smf_is_guard(frame.pc); written++) {
    const struct module *module;
    struct library library;
    enum kind kind = smf_kind_of(frame.pc - (frame.is_return ? 1 : 0), &module, &library);
    /* A function that was called and is not there has no frame. */
    int is_shown = kind == IN_MODULE || kind == IN_LIBRARY;
    if (is_native && !is_shown) break;
    if (is_shown) {
      smf_put('\n');
      describe_frame(&frame, kind, module, &library);
    }
    uintptr_t pc = frame.pc;
    unsigned times = 1;
    int found = smf_caller(&frame);
    for (; found && frame.pc == pc; times++) found = smf_caller(&frame);
    if (is_shown) {
      smf_put('\t');
      smf_say_number(times);
    }
    if (!found) break;
  }
}
