/* The text of a report, and what is in it. */
#include "crash.h"
#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

/* How many frames are looked at, and how many lines are written at most. */
enum { WALKED = 4096, WRITTEN = 64 };
/* A fault so near to the stack pointer, in bytes, is one of a stack that has no more room. */
#define NEAR_STACK 0x11000ul

static char text[4096];
static size_t length;

/* How often, and for how many nanoseconds each time, a pipe that is full is waited for. */
enum { WAITS = 20, WAIT = 100000000 };

static void flush(void) {
  int waits = 0;
  for (size_t at = 0; at < length;) {
    long written = smf_call(SYS_write, 2, (long)(text + at), (long)(length - at), 0);
    if (written == -EAGAIN && waits++ < WAITS) {
      struct pollfd error_output = {.fd = 2, .events = POLLOUT};
      smf_call(SYS_ppoll, (long)&error_output, 1, (long)&(struct timespec){.tv_nsec = WAIT}, 0);
    } else if (written <= 0) break;
    else at += (size_t)written;
  }
  length = 0;
}

static void put(char byte) {
  if (length == sizeof text) flush();
  text[length++] = byte;
}

static void say(const char *words) {
  while (*words) put(*words++);
}

/* Names come from files, which must not send commands to a terminal. */
static void say_name(const char *name, size_t size) {
  for (size_t index = 0; index < size; index++) {
    unsigned char byte = (unsigned char)name[index], next = index + 1 < size ? (unsigned char)name[index + 1] : 0;
    int is_control = byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0);
    put(is_control ? '?' : (char)byte);
    if (is_control && byte == 0xc2) index++;
  }
}

static void say_hex(uintptr_t value) {
  int shift = 60;
  while (shift > 0 && !(value >> shift)) shift -= 4;
  say("0x");
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[(value >> shift) & 15]);
}

static void say_number(uint64_t value) {
  char digits[20];
  int count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while (value /= 10);
  while (count) put(digits[--count]);
}

static void say_module(const struct module *module) {
  say_name(module->name, module->facts.name_size);
  say(", version ");
  say_number(module->facts.version);
}

static const char *base_name(const char *path) {
  const char *name = path;
  for (; *path; path++) {
    if (*path == '/') name = path + 1;
  }
  return name;
}

static size_t size_of(const char *words) {
  size_t size = 0;
  while (words[size]) size++;
  return size;
}

/* What a frame is in. */
enum kind { IN_MODULE, IN_FREED_MODULE, IN_LIBRARY, IN_PROGRAM, IN_OTHER_CODE };

static enum kind kind_of(uintptr_t pc, const struct module **module, struct library *library) {
  if ((*module = smf_module_at(pc))) return IN_MODULE;
  int found = smf_library_at(pc, library);
  if (found && !smf_is_program(library)) return IN_LIBRARY;
  if (found) return IN_PROGRAM;
  /* Other code may be there by now, such as the engine's. */
  return !smf_is_readable(pc) && (*module = smf_freed_module_at(pc)) ? IN_FREED_MODULE : IN_OTHER_CODE;
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
  smf_first_frame(&frame, context);
  for (int count = 1; count <= WALKED; count++) {
    const struct module *module;
    struct library library;
    enum kind kind = kind_of(frame.pc - (frame.is_return ? 1 : 0), &module, &library);
    if (kind == IN_MODULE || kind == IN_FREED_MODULE) extent = (struct extent){count, 0};
    else if (kind != IN_LIBRARY) extent.is_called = 1;
    if (!smf_caller(&frame)) break;
  }
  return extent;
}

/* Whether code of a module, or of one that was freed, is on the stack. */
int smf_has_module_frame(void *context) { return extent_of(context).frames > 0; }

static void say_place(const struct place *place) {
  say_name(place->name, place->name_size);
  say("+");
  say_hex(place->distance);
}

/* Says where the source of an address is, if the module has debug information. */
static void say_source(const struct module *module, uintptr_t pc) {
  static struct source source;
  if (!smf_source_at(module, pc, &source)) return;
  put('(');
  say_name(source.path, source.size);
  put(':');
  say_number(source.line);
  say(") ");
}

/* Finds the name by which a module has called code of a library that does not export it, such as strlen's for this processor. */
static int is_called_by_name(const struct frame *frame, uintptr_t pc, struct place *place) {
  struct frame caller = *frame;
  if (!smf_caller(&caller)) return 0;
  const struct module *module = smf_module_at(caller.pc - 1);
  return module && smf_import_before(module, pc, place);
}

/* Writes the line of a frame in a module or library. */
static void say_frame(const struct frame *frame, enum kind kind, const struct module *module,
                      const struct library *library) {
  uintptr_t pc = frame->pc - (frame->is_return ? 1 : 0);
  struct place place;
  int is_known = kind == IN_MODULE ? smf_function_at(module, pc, &place)
                                   : kind == IN_LIBRARY && (smf_library_function(library, pc, &place) ||
                                                            is_called_by_name(frame, pc, &place));
  say("    at ");
  if (is_known) {
    place.distance += frame->is_return ? 1 : 0;
    say_place(&place);
    put(' ');
    if (kind == IN_MODULE) say_source(module, pc);
    say("in ");
  }
  if (kind == IN_LIBRARY) {
    const char *name = base_name(library->name);
    say_name(name, size_of(name));
    if (!is_known) {
      say("+");
      say_hex(frame->pc - library->base);
    }
  } else {
    if (!is_known) {
      say("offset ");
      say_hex(frame->pc - module->facts.start);
      say(" of ");
    }
    say_module(module);
    if (kind == IN_FREED_MODULE) say(", which was freed");
  }
  say(" (");
  say_hex(frame->pc);
  say(")\n");
}

static const char *const names[32] = {
    [SIGILL] = "SIGILL",   [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT",
    [SIGBUS] = "SIGBUS", [SIGFPE] = "SIGFPE", [SIGSEGV] = "SIGSEGV",
};

/* Says what was done to the address of a fault, as far as the processor tells. */
static const char *access_of(void *context) {
#if defined(__x86_64__)
  const greg_t *saved = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (saved[REG_TRAPNO] != 14) return "access to";
  if (saved[REG_ERR] & 16) return "call of";
  return saved[REG_ERR] & 2 ? "write to" : "read of";
#else
  /* Records of a magic number and a size follow the registers (Linux, Documentation/arch/arm64); one has the syndrome. */
  const uint8_t *at = (const uint8_t *)((ucontext_t *)context)->uc_mcontext.__reserved, *end = at + 4096;
  while (end - at >= 16 && ((const uint32_t *)at)[1] >= 8) {
    uint64_t syndrome = ((const uint64_t *)at)[1];
    if (*(const uint32_t *)at == 0x45535201) {
      if (syndrome >> 27 == 0x20 >> 1) return "call of";
      return syndrome & 1 << 6 ? "write to" : "read of";
    }
    at += ((const uint32_t *)at)[1];
  }
  return "access to";
#endif
}

static int is_overflow(const siginfo_t *info, const struct frame *frame) {
  uintptr_t address = (uintptr_t)info->si_addr, stack = frame->registers[STACK_POINTER];
  return address - (stack - NEAR_STACK) < 2 * NEAR_STACK;
}

/* Writes what has happened. Returns what to do next. */
static const char *say_cause(int number, const siginfo_t *info, void *context, const struct frame *frame) {
  uintptr_t address = (uintptr_t)info->si_addr;
  say(names[number]);
  if (info->si_code <= 0) {
    if (number == SIGABRT && info->si_pid == smf_call(SYS_getpid, 0, 0, 0, 0)) {
      return "the code ended the process itself, by abort(); what it wrote before says why";
    }
    say(", sent by process ");
    say_number((uint64_t)info->si_pid);
    return "the code did nothing wrong; this is where it was when the signal came";
  }
  if (number == SIGFPE) {
    say(info->si_code == FPE_INTDIV ? ", division by zero or overflow of a division" : ", error of arithmetic");
    return "look at what the function divides by";
  }
  if (number == SIGILL) {
    say(", invalid instruction");
    return "the code came to a place that its compiler took for unreachable, or is for another processor: "
           "smf inspect FILE says for which";
  }
  if (number == SIGTRAP) {
    say(", trap");
    return "the code came to a place that its compiler took for unreachable, or to a breakpoint";
  }
  if (info->si_code == SI_KERNEL) {
    say(", access to an address that no memory can have");
    return "look for a pointer that was overwritten or never set";
  }
  if (is_overflow(info, frame)) {
    say(", stack overflow at ");
    say_hex(address);
    return "look for a recursion without end, and for large arrays in local variables";
  }
  say(", ");
  const char *access = address == frame->pc ? "call of" : access_of(context);
  say(access);
  say(" address ");
  say_hex(address);
  const struct module *module;
  struct library library;
  if (kind_of(frame->pc, &module, &library) == IN_FREED_MODULE) {
    return "keep the module loaded for as long as native code has addresses in it: addressOf, pin, keepVersions";
  }
  if (number == SIGBUS) return "look for a file that became shorter while it was mapped, or an address that is not aligned";
  if (address < 65536) return "a null pointer was used: compare the arguments and their types with the declaration";
  return "look for a pointer to memory that was freed, and compare the definition with the declaration in C";
}

/* Writes the line for frames that are not native code of modules or libraries. */
static void say_others(int count) {
  if (count > 0) say("    from JavaScript\n");
}

static void say_repeated(unsigned count) {
  if (count == 0) return;
  say("    the same ");
  say_number(count);
  say(count == 1 ? " time more\n" : " times more\n");
}

/* Writes the report of a crash. */
void smf_write_report(int number, const siginfo_t *info, void *context) {
  struct frame frame;
  char thread[16] = "";
  smf_first_frame(&frame, context);
  smf_call(SYS_prctl, PR_GET_NAME, (long)thread, 0, 0);
  say("\nCrash in native code: ");
  const char *next = say_cause(number, info, context, &frame);
  say(" (thread ");
  say_number((uint64_t)smf_call(SYS_gettid, 0, 0, 0, 0));
  say(", ");
  say_name(thread, size_of(thread));
  say(")\n");
  uintptr_t previous = 0;
  unsigned repeated = 0, written = 0;
  int others = 0;
  struct extent extent = extent_of(context);
  for (int count = 1; written < WRITTEN; count++) {
    const struct module *module;
    struct library library;
    enum kind kind = kind_of(frame.pc - (frame.is_return ? 1 : 0), &module, &library);
    int is_native = kind == IN_MODULE || kind == IN_LIBRARY || kind == IN_FREED_MODULE;
    if (is_native && frame.pc == previous) repeated++;
    else if (is_native) {
      say_repeated(repeated);
      say_others(others);
      repeated = others = 0;
      say_frame(&frame, kind, module, &library);
      if (written++ == 0) flush();
    } else if (frame.is_return) others++;
    previous = frame.pc;
    if (count == extent.frames || !smf_caller(&frame)) break;
  }
  say_repeated(repeated);
  if (written == WRITTEN) say("    and more\n");
  else say_others(extent.is_called);
  say("next: ");
  say(next);
  say("\n");
  flush();
}
