/*
 * Reports crashes in the code of modules: what the files of this folder share.
 *
 * They make a shared library of their own, which is never closed. Everything that
 * runs in a signal handler allocates nothing, takes no lock that the crashed code
 * may hold, and calls no function of the C library but sigaction.
 */
#ifndef CRASH_H
#define CRASH_H
#define _GNU_SOURCE
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

/* The registers of a frame, by their DWARF numbers (System V ABIs of x86-64 and AArch64). */
#if defined(__x86_64__)
enum { FRAME_POINTER = 6, STACK_POINTER = 7, RETURN_ADDRESS = 16, REGISTERS = 17 };
#elif defined(__aarch64__)
enum { FRAME_POINTER = 29, STACK_POINTER = 31, RETURN_ADDRESS = 30, REGISTERS = 32 };
#endif

/* A group of sections, which moves as a whole: offsets in the file's image, and what to add to get those in memory. */
struct group {
  uint64_t start, end, delta;
};

/* A section of debug information: where it is in the module's file, or in the copy. */
struct debug_section {
  uint64_t start, size;
};

/* What the loader says about an image, followed by the groups: an array of 64-bit words. */
struct facts {
  uint64_t start, size;
  /* The offsets of its code and of its unwind tables (.eh_frame). */
  uint64_t code, code_size, frames, frames_size;
  uint64_t version;
  /* The symbols: how many, the 32-bit words from one to the next, and the type that functions have. */
  uint64_t symbols, step, function_type;
  /* .debug_line, .debug_line_str and .debug_str, if the file has them. */
  struct debug_section debug[3];
  /* The file when it was loaded: its size, and when it was written, in milliseconds. */
  uint64_t file_size, file_time;
  uint64_t name_size, path_size, groups;
  uint64_t imports;
};

/* The image of one version of a module. */
struct module {
  struct module *next;
  struct facts facts;
  /* The memory of all copies. */
  void *copy;
  /* A copy of the file's records of symbols, and of their names right behind; null once the image is freed. */
  const uint32_t *symbols;
  size_t symbols_size;
  /* A copy of the debug information, null if it is in the file. */
  const uint8_t *debug;
  /* The addresses of its imports, and the indices of their symbols. */
  const uint64_t *addresses;
  const uint32_t *imports;
  const char *name;
  /* The path of the file; empty if there is none. */
  const char *path;
  struct group groups[];
};

/* A function and the distance from its start. */
struct place {
  const char *name;
  size_t name_size;
  uintptr_t distance;
  /* The address of the function; 0 if nobody knows. */
  uintptr_t start;
  /* The size of the function; 0 if nobody knows. */
  uintptr_t size;
};

/* modules.c */
const struct module *smf_module_at(uintptr_t address);
const struct module *smf_freed_module_at(uintptr_t address);
int smf_is_code(const struct module *module, uintptr_t address);
/* The number of handlers that read lists. One that has reported a crash stays, because its process ends. */
extern int smf_readers;
int smf_function_at(const struct module *module, uintptr_t address, struct place *place);

int smf_import_before(const struct module *module, uintptr_t address, struct place *place);
int smf_offset_of(const struct module *module, uintptr_t address, uint64_t *offset);

/* lines.c */
struct source {
  uint64_t line;
  size_t size;
  char path[1024];
};
int smf_source_at(const struct module *module, uintptr_t address, struct source *source);

/* libraries.c */
struct library {
  const char *name;
  uintptr_t start, end;
  /* The address of .eh_frame_hdr; null if the library has none. */
  const uint8_t *frames;
  /* What to add to the addresses in its file, and its dynamic section. */
  uintptr_t base;
  const ElfW(Dyn) *dynamic;
};
void smf_list_libraries(void);
int smf_library_at(uintptr_t address, struct library *library);
int smf_is_program(const struct library *library);
int smf_library_function(const struct library *library, uintptr_t address, struct place *place);

/* unwind.c */
struct frame {
  uintptr_t registers[REGISTERS];
  uintptr_t pc;
  /* Whether `pc` is the address of the next instruction, not of the one that runs. */
  int is_return;
  /* The last `pc` whose caller was searched on the stack, and how far above it was found. */
  uintptr_t searched, distance;
};
void smf_first_frame(struct frame *frame, void *context);
int smf_caller(struct frame *frame);

/* tables.c */
const uint8_t *smf_find_record(const uint8_t *table, const uint8_t *end, uintptr_t pc);
const uint8_t *smf_find_record_by_index(const uint8_t *index, uintptr_t pc);
int smf_apply_record(const uint8_t *record, struct frame *frame);

/* report.c */
int smf_has_module_frame(void *context);
void smf_write_report(int number, const siginfo_t *info, void *context);

/* system.c */
long smf_call(long number, long a, long b, long c, long d);
int smf_is_readable(uintptr_t address);
uintptr_t smf_unsigned(uintptr_t address);
void smf_run_on(void *top, void (*run)(void *), void *argument);
void smf_enter(int *lock);
void smf_leave(int *lock);

#endif
