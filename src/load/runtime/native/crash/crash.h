/*
 * Reports crashes in the code of modules: what the files of this folder share.
 *
 * They make a shared library of their own, which is never closed. Everything that
 * runs in a signal handler allocates nothing, takes no lock that the crashed code
 * may hold, and calls no function of the C library but sigaction.
 */
#ifndef CRASH_H
#define CRASH_H
#if !defined(FOR_WINDOWS)
#define _GNU_SOURCE
#include <link.h>
#include <signal.h>
#endif
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

/* The loader's facts about an image, followed by the groups: an array of 64-bit words. */
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
  /* Whether the file has lines of source that only its readers can find: compressed, or in a companion file. */
  uint64_t has_other_lines;
  /* Whether its crashes are reported. Those of others can be survived only. */
  uint64_t is_reported;
  /* The size of the copies, which the loader gets. */
  uint64_t copied;
};

/* The image of one version of a module. */
struct module {
  struct module *next;
  /* Whether it has crashed, and is not to be called before somebody says so. */
  uint32_t quarantined;
  struct facts facts;
  /* The memory of all copies. */
  void *copy;
  /* The functions, and the names of all symbols; null once the image is freed. */
  const struct function *functions;
  size_t function_count;
  const char *names;
  size_t names_size;
  /* A copy of the debug information, null if it is in the file. */
  const uint8_t *debug;
  /* The addresses of its imports, and the places of their names. */
  const uint64_t *addresses;
  const uint32_t *import_names;
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
uint32_t *smf_quarantine(uintptr_t address);
const struct module *smf_quarantined_by(const uint32_t *word);
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
  /* The address of the unwind tables (.eh_frame_hdr, .pdata); null if the library has none. */
  const uint8_t *frames;
  /* The distance from addresses in its file to those in memory. */
  uintptr_t base;
#if !defined(FOR_WINDOWS)
  const ElfW(Dyn) *dynamic;
#endif
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
int smf_library_caller(const struct library *library, struct frame *frame);
int smf_caller(struct frame *frame);
int smf_caller_by_tables(struct frame *frame);
void smf_forget_frames(void);
int smf_from_nowhere(struct frame *frame);
int smf_follows_call(uintptr_t address, uintptr_t *target);

/* tables.c */
const uint8_t *smf_find_record(const uint8_t *table, const uint8_t *end, uintptr_t pc);
const uint8_t *smf_find_record_by_index(const uint8_t *index, uintptr_t pc);
int smf_apply_record(const uint8_t *record, struct frame *frame);
int smf_record_range(const uint8_t *record, uint64_t *start, uint64_t *size);

/* report.c */
/* The kinds of code that a frame can be in. */
enum kind { IN_MODULE, IN_FREED_MODULE, IN_LIBRARY, IN_PROGRAM, IN_OTHER_CODE, IN_GUARD };
enum kind smf_kind_of(uintptr_t pc, const struct module **module, struct library *library);
int smf_has_module_frame(void *context);
int smf_is_near_stack(uintptr_t address, uintptr_t stack);
const char *smf_say_access(uintptr_t pc, const char *access, uintptr_t address, const char *for_file);
void smf_end_report(void *context, const char *next);
void smf_describe_frames(struct frame frame, int is_native);

/* text.c */
void smf_put(char byte);
void smf_say(const char *words);
void smf_say_name(const char *name, size_t size);
void smf_say_hex(uintptr_t value);
void smf_say_number(uint64_t value);
const char *smf_base_name(const char *path);
size_t smf_size_of(const char *words);
void smf_flush(void);
void smf_say_into(char *buffer, size_t size);
size_t smf_said(void);

/* handler.c; windows/exceptions.c */
int smf_run_alone(void (*run)(void *), void *argument, const int *is_reported);

#if !defined(FOR_WINDOWS)
/* cause.c */
void smf_write_report(int number, const siginfo_t *info, void *context);
#endif

/* system.c */
long smf_call(long number, long a, long b, long c, long d);
int smf_is_readable(uintptr_t address);
#if !defined(FOR_WINDOWS)
int smf_is_readable_again(uintptr_t address);
void smf_forget_readable(void);
#else
#define smf_is_readable_again smf_is_readable
#define smf_forget_readable() ((void)0)
#endif
int smf_is_executable(uintptr_t address);
uintptr_t smf_unsigned(uintptr_t address);
void smf_run_on(void *top, void (*run)(void *), void *argument);
void smf_enter(int *lock);
void smf_leave(int *lock);
void smf_write(const char *text, size_t length);
intptr_t smf_open_unchanged(const struct module *module);
long smf_read_at(intptr_t file, void *into, size_t size, uint64_t at);
void smf_close(intptr_t file);
/* Fills in the frame that the system stopped the thread in. */
void smf_first_frame(struct frame *frame, void *context);

#endif
