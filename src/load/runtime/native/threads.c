/*
 * Tells the threads of the process, and whether any of them may be running code in a range, or come back to it: the
 * kernel says where a thread is that waits (proc(5), /proc/PID/task/TID/syscall), and on x86-64 all return addresses
 * are on its stack.
 */
#define _GNU_SOURCE
#include "mappings.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Stores up to `room` numbers of the threads of this process. Returns how many there are; 0 if nobody knows. */
size_t smf_threads(int64_t *numbers, size_t room) {
  DIR *threads = opendir("/proc/self/task");
  if (!threads) return 0;
  size_t count = 0;
  for (struct dirent *each; (each = readdir(threads));) {
    if (each->d_name[0] == '.') continue;
    if (count < room) numbers[count] = atoi(each->d_name);
    count++;
  }
  closedir(threads);
  return count;
}

#ifdef __x86_64__

#define SIGNALS 64

/* The known facts of the process. */
struct memory {
  struct mappings mappings;
  /* To read memory without a fault. */
  int file;
  /* The return addresses of signal handlers, each once. */
  uintptr_t restorers[SIGNALS];
  size_t restorer_count;
  /* Room for the text of a file. */
  char *text;
  size_t room;
};

/* The files that tell of a thread: each read tells anew. */
struct thread {
  int status, syscall;
};

/* The place of a thread that waits. */
struct place {
  /* How often it has stopped running. */
  uint64_t switches;
  uintptr_t stack, code;
};

/* A thread waits in a system call. */
enum look { WAITS, RUNS, HAS_ENDED, UNKNOWN };

/* Opens a file of a thread. Returns -1 with errno if that fails. */
static int open_of(const char *thread, const char *name) {
  char path[64] = "/proc/self/task/";
  return open(strcat(strcat(strcat(path, thread), "/"), name), O_RDONLY | O_CLOEXEC);
}

/* Reads a file of a thread from its start. Returns the text, which the next read overwrites; NULL with errno if that fails. */
static char *read_again(struct memory *memory, int file) {
  for (size_t length = 0;;) {
    size_t left = memory->room - length;
    if (left < 2) {
      size_t room = memory->room + 4096;
      char *larger = realloc(memory->text, room);
      if (!larger) return 0;
      memory->text = larger;
      memory->room = room;
      continue;
    }
    ssize_t count = pread(file, memory->text + length, left - 1, length);
    if (count < 0) return 0;
    length += count;
    memory->text[length] = 0;
    /* These files give as much at once as there is room for. */
    if ((size_t)count < left - 1) return memory->text;
  }
}

/* The number behind a name at the start of a line; -1 if there is none. */
static int64_t number_of(const char *text, const char *name) {
  const char *found = strstr(text, name);
  return found ? strtoll(found + strlen(name), 0, 10) : -1;
}

static enum look gone_or_unknown(void) {
  return errno == ENOENT || errno == ESRCH ? HAS_ENDED : UNKNOWN;
}

/* Finds where a thread is. */
static enum look look_at(struct memory *memory, const struct thread *thread, struct place *place) {
  char *text = read_again(memory, thread->status);
  if (!text) return gone_or_unknown();
  int64_t own = number_of(text, "\nvoluntary_ctxt_switches:");
  int64_t others = number_of(text, "\nnonvoluntary_ctxt_switches:");
  if (own < 0 || others < 0) return UNKNOWN;
  place->switches = own + others;
  if (!(text = read_again(memory, thread->syscall))) return gone_or_unknown();
  enum look look = UNKNOWN;
  /* The last two numbers of the line, whatever is before them: the stack and the instruction. */
  size_t length = strlen(text);
  if (length > 0 && text[length - 1] == '\n') text[length - 1] = 0;
  char *code = strrchr(text, ' ');
  /* Outside of a system call it was stopped anywhere, perhaps with an address in a register alone. */
  if (!strcmp(text, "running") || text[0] == '-') look = RUNS;
  else if (code) {
    *code = 0;
    char *stack = strrchr(text, ' ');
    if (stack) {
      place->stack = strtoull(stack, 0, 16);
      place->code = strtoull(code + 1, 0, 16);
      look = WAITS;
    }
  }
  return look;
}

/* The kernel's struct sigaction. */
struct action {
  uintptr_t handler, flags, restorer;
  uint64_t mask;
};

/* Finds where signal handlers return to. */
static void find_restorers(struct memory *memory) {
  for (int signal = 1; signal <= SIGNALS; signal++) {
    struct action action = {0, 0, 0, 0};
    if (syscall(SYS_rt_sigaction, signal, 0, &action, sizeof action.mask) != 0 || !action.restorer) continue;
    size_t known = 0;
    while (known < memory->restorer_count && memory->restorers[known] != action.restorer) known++;
    if (known == memory->restorer_count) memory->restorers[memory->restorer_count++] = action.restorer;
  }
}

static void mark(uintptr_t word, const struct range *ranges, size_t count, uint8_t *may_be) {
  for (size_t each = 0; each < count; each++) {
    if (word >= ranges[each].start && word < ranges[each].end) may_be[each] = 1;
  }
}

/* `uc_flags` of a signal frame: the kernel always sets these two (asm/ucontext.h), and no others but the first bit. */
#define FRAME_FLAGS 6

/*
 * Whether words are the start of a signal frame: where the handler returns to, `uc_flags` and `uc_link`. Calls of
 * sigaction leave the first on a stack, too.
 */
static int is_signal_frame(const struct memory *memory, const uintptr_t *words) {
  if ((words[1] | 1) != (FRAME_FLAGS | 1) || words[2] != 0) return 0;
  for (size_t each = 0; each < memory->restorer_count; each++) {
    if (words[0] == memory->restorers[each]) return 1;
  }
  return 0;
}

/* A stack that is larger may be anything. */
#define LARGEST_STACK (256ul << 20)

/*
 * Marks the ranges that words on a stack lead into, from an address to the end of its mapping. Returns 0 if that is
 * not a stack that can be read.
 */
static int mark_stack(const struct memory *memory, uintptr_t stack, const struct range *ranges, size_t count,
                      uint8_t *may_be) {
  struct mapping mapping;
  if (!mapping_at(&memory->mappings, stack, &mapping)) return 0;
  if (!mapping.is_writable || mapping.range.end - stack > LARGEST_STACK) return 0;
  uintptr_t words[512];
  const size_t word = sizeof *words, overlap = 2;
  for (uintptr_t at = stack & -word; at < mapping.range.end;) {
    size_t left = mapping.range.end - at, wanted = left < sizeof words ? left : sizeof words;
    ssize_t length = pread64(memory->file, words, wanted, at);
    if (length != (ssize_t)wanted) return 0;
    size_t known = wanted == left ? wanted / word : wanted / word - overlap;
    for (size_t each = 0; each < known; each++) {
      mark(words[each], ranges, count, may_be);
      /* A handler may have a stack of its own, and nobody knows that of the code that it has interrupted. */
      if (each + overlap < wanted / word && is_signal_frame(memory, words + each)) memset(may_be, 1, count);
    }
    at += known * word;
  }
  return 1;
}

/* Marks the ranges that a thread may be in, or come back to. Returns 0 if nobody knows. */
static int mark_thread(struct memory *memory, const struct thread *thread, const struct range *ranges, size_t count,
                       uint8_t *may_be) {
  struct place place, after;
  enum look look = look_at(memory, thread, &place);
  if (look == HAS_ENDED) return 1;
  if (look == WAITS) {
    struct mapping code;
    /* In an emulator the kernel tells where the emulator is. */
    if (!mapping_at(&memory->mappings, place.code, &code) || !code.is_executable) return 0;
    mark(place.code, ranges, count, may_be);
    if (!mark_stack(memory, place.stack, ranges, count, may_be)) return 0;
    look = look_at(memory, thread, &after);
    /* It has waited all the while, so its stack was what was read. */
    if (look == WAITS && after.switches == place.switches && after.stack == place.stack) return 1;
    /* Its frames are gone. */
    if (look == HAS_ENDED) return 1;
  }
  if (look == UNKNOWN) return 0;
  /* It runs, and may be anywhere. */
  memset(may_be, 1, count);
  return 1;
}

/* Like mark_thread, of the thread of a number. */
static int mark_numbered(struct memory *memory, const char *number, const struct range *ranges, size_t count,
                         uint8_t *may_be) {
  struct thread thread = {.status = open_of(number, "status"), .syscall = -1};
  if (thread.status < 0) return gone_or_unknown() == HAS_ENDED;
  thread.syscall = open_of(number, "syscall");
  int is_known = thread.syscall < 0 ? gone_or_unknown() == HAS_ENDED
                                    : mark_thread(memory, &thread, ranges, count, may_be);
  close(thread.status);
  if (thread.syscall >= 0) close(thread.syscall);
  return is_known;
}

/* Marks what all threads but the calling one may be in. Returns the sum of their numbers; -1 if nobody knows. */
static int64_t mark_threads(struct memory *memory, const struct range *ranges, size_t count, uint8_t *may_be) {
  DIR *threads = opendir("/proc/self/task");
  if (!threads) return -1;
  int64_t own = syscall(SYS_gettid), sum = 0;
  for (struct dirent *each; sum >= 0 && (each = readdir(threads));) {
    if (each->d_name[0] == '.') continue;
    int64_t number = atoi(each->d_name);
    sum += number;
    if (count > 0 && number != own && !mark_numbered(memory, each->d_name, ranges, count, may_be)) sum = -1;
  }
  closedir(threads);
  return sum;
}

/*
 * Finds which ranges of code a thread may be running, or come back to; the calling thread counts, too. A thread that
 * runs may be anywhere. Marks these ranges with 1 in `may_be`, which holds zeros.
 *
 * Returns 0; -1 if nobody knows: there is no /proc, it is that of an emulator, or memory is exhausted.
 */
int smf_find_threads(const struct range *ranges, size_t count, uint8_t *may_be) {
  struct memory memory = {.mappings = {.file = -1}, .file = open("/proc/self/mem", O_RDONLY | O_CLOEXEC)};
  int is_known = 0;
  if (memory.file >= 0 && open_mappings(&memory.mappings)) {
    find_restorers(&memory);
    is_known = mark_stack(&memory, (uintptr_t)__builtin_frame_address(0), ranges, count, may_be);
  }
  if (is_known) {
    int64_t before = mark_threads(&memory, ranges, count, may_be);
    /* A thread that has begun meanwhile was perhaps not looked at. */
    int64_t after = mark_threads(&memory, ranges, 0, may_be);
    is_known = before >= 0 && after >= 0;
    if (is_known && before != after) memset(may_be, 1, count);
  }
  close_mappings(&memory.mappings);
  free(memory.text);
  if (memory.file >= 0) close(memory.file);
  return is_known ? 0 : -1;
}

#else

/* A return address may be in a register alone, of which the kernel tells nothing. */
int smf_find_threads(const struct range *ranges, size_t count, uint8_t *may_be) {
  (void)ranges, (void)count, (void)may_be;
  return -1;
}

#endif
