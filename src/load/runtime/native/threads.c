/*
 * Tells the threads of the process, and whether any of them may be running code in a range, or come back to it: the
 * kernel says where a thread is that waits (proc(5), /proc/PID/task/TID/syscall), and on x86-64 all return addresses
 * are on its stack.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* Addresses from `start` up to but not including `end`. */
struct range {
  uintptr_t start, end;
};

#ifdef __x86_64__

/* A mapping of memory, as a line of /proc/self/maps has it, or as its ioctl tells. */
struct mapping {
  struct range range;
  int is_writable, is_executable;
};

#define SIGNALS 64

/*
 * The request of PROCMAP_QUERY (linux/fs.h, since Linux 6.11), for the mapping that contains an address. A process with
 * many modules has thousands of mappings, and the text of all of them takes milliseconds.
 */
struct query {
  uint64_t size, query_flags, query_address;
  uint64_t start, end, flags;
  uint64_t page_size, offset, inode;
  uint32_t device_major, device_minor, name_size, build_id_size;
  uint64_t name_address, build_id_address;
};

#define QUERY _IOWR('f', 17, struct query)
#define IS_WRITABLE (1 | 2)
#define IS_EXECUTABLE 4

/* The known facts of the process. */
struct memory {
  /* /proc/self/maps where the kernel answers queries; else -1. */
  int maps;
  /* In ascending order, where it does not. */
  struct mapping *mappings;
  size_t count;
  /* To read memory without a fault. */
  int file;
  /* The return addresses of signal handlers, each once. */
  uintptr_t restorers[SIGNALS];
  size_t restorer_count;
};

/* The place of a thread that waits. */
struct place {
  /* How often it has stopped running. */
  uint64_t switches;
  uintptr_t stack, code;
};

/* A thread waits in a system call. */
enum look { WAITS, RUNS, HAS_ENDED, UNKNOWN };

/* Reads a whole file. Returns its text, which the caller frees; NULL with errno if that fails. */
static char *read_text(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  size_t room = 4096, length = 0;
  char *text = malloc(room);
  while (text) {
    ssize_t count = read(file, text + length, room - length - 1);
    if (count <= 0) {
      int problem = count < 0 ? errno : 0;
      text[length] = 0;
      if (problem) {
        free(text);
        text = 0;
      }
      close(file);
      errno = problem;
      return text;
    }
    length += count;
    if (room - length > 1) continue;
    char *larger = realloc(text, room *= 2);
    if (!larger) free(text);
    text = larger;
  }
  close(file);
  errno = ENOMEM;
  return 0;
}

/* Reads a file of a thread. */
static char *read_of(const char *thread, const char *name) {
  char path[64] = "/proc/self/task/";
  strcat(strcat(strcat(path, thread), "/"), name);
  return read_text(path);
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
static enum look look_at(const char *thread, struct place *place) {
  char *text = read_of(thread, "status");
  if (!text) return gone_or_unknown();
  int64_t own = number_of(text, "\nvoluntary_ctxt_switches:");
  int64_t others = number_of(text, "\nnonvoluntary_ctxt_switches:");
  free(text);
  if (own < 0 || others < 0) return UNKNOWN;
  place->switches = own + others;
  if (!(text = read_of(thread, "syscall"))) return gone_or_unknown();
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
  free(text);
  return look;
}

/* Reads the mappings. Returns 0 if that fails. */
static int read_mappings(struct memory *memory) {
  char *text = read_text("/proc/self/maps");
  if (!text) return 0;
  size_t lines = 0;
  for (char *at = text; (at = strchr(at, '\n')); at++) lines++;
  memory->mappings = malloc((lines + 1) * sizeof *memory->mappings);
  for (char *line = text; memory->mappings && *line;) {
    char *next = strchr(line, '\n'), *at;
    struct mapping *mapping = &memory->mappings[memory->count];
    mapping->range.start = strtoull(line, &at, 16);
    if (*at != '-' || !next) break;
    mapping->range.end = strtoull(at + 1, &at, 16);
    mapping->is_writable = at[1] == 'r' && at[2] == 'w';
    mapping->is_executable = at[3] == 'x';
    memory->count++;
    line = next + 1;
  }
  free(text);
  return memory->mappings != 0;
}

/* Opens the mappings for queries; reads them all if the kernel knows none. Returns 0 if that fails. */
static int open_mappings(struct memory *memory) {
  struct query query = {.size = sizeof query, .query_address = (uintptr_t)memory};
  memory->maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (memory->maps < 0) return 0;
  if (ioctl(memory->maps, QUERY, &query) == 0) return 1;
  close(memory->maps);
  memory->maps = -1;
  return read_mappings(memory);
}

/* Finds the mapping that contains an address. Returns 0 if there is none. */
static int mapping_at(const struct memory *memory, uintptr_t address, struct mapping *found) {
  if (memory->maps >= 0) {
    struct query query = {.size = sizeof query, .query_address = address};
    if (ioctl(memory->maps, QUERY, &query) != 0) return 0;
    found->range.start = query.start;
    found->range.end = query.end;
    found->is_writable = (query.flags & IS_WRITABLE) == IS_WRITABLE;
    found->is_executable = (query.flags & IS_EXECUTABLE) != 0;
    return 1;
  }
  size_t low = 0, high = memory->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (address >= memory->mappings[middle].range.end) low = middle + 1;
    else high = middle;
  }
  if (low == memory->count || address < memory->mappings[low].range.start) return 0;
  *found = memory->mappings[low];
  return 1;
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
  if (!mapping_at(memory, stack, &mapping)) return 0;
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
static int mark_thread(const struct memory *memory, const char *thread, const struct range *ranges, size_t count,
                       uint8_t *may_be) {
  struct place place, after;
  enum look look = look_at(thread, &place);
  if (look == HAS_ENDED) return 1;
  if (look == WAITS) {
    struct mapping code;
    /* In an emulator the kernel tells where the emulator is. */
    if (!mapping_at(memory, place.code, &code) || !code.is_executable) return 0;
    mark(place.code, ranges, count, may_be);
    if (!mark_stack(memory, place.stack, ranges, count, may_be)) return 0;
    look = look_at(thread, &after);
    /* It has waited all the while, so its stack was what was read. */
    if (look == WAITS && after.switches == place.switches && after.stack == place.stack) return 1;
    /* Its frames are gone, or another thread has its number: then the list of threads differs. */
    if (look == HAS_ENDED) return 1;
  }
  if (look == UNKNOWN) return 0;
  /* It runs, and may be anywhere. */
  memset(may_be, 1, count);
  return 1;
}

/* Marks what all threads but the calling one may be in. Returns the sum of their numbers; -1 if nobody knows. */
static int64_t mark_threads(const struct memory *memory, const struct range *ranges, size_t count, uint8_t *may_be) {
  DIR *threads = opendir("/proc/self/task");
  if (!threads) return -1;
  int64_t own = syscall(SYS_gettid), sum = 0;
  for (struct dirent *each; sum >= 0 && (each = readdir(threads));) {
    if (each->d_name[0] == '.') continue;
    int64_t number = atoi(each->d_name);
    sum += number;
    if (count > 0 && number != own && !mark_thread(memory, each->d_name, ranges, count, may_be)) sum = -1;
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
  struct memory memory = {.maps = -1, .file = open("/proc/self/mem", O_RDONLY | O_CLOEXEC)};
  int is_known = 0;
  if (memory.file >= 0 && open_mappings(&memory)) {
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
  free(memory.mappings);
  if (memory.maps >= 0) close(memory.maps);
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
