/* Questions to the kernel and the processor, in code for each (Linux). */
#include "guard.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

/* A system call that leaves errno alone. Returns the negative of an error's number. */
long smf_call(long number, long a, long b, long c, long d) {
#if defined(__x86_64__)
  register long r10 __asm__("r10") = d;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
#else
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
#endif
}

/* The smallest page; nothing is at addresses below. */
enum { PAGE = 4096 };

/* Reads a signal mask for a change that does not exist: the kernel refuses it, but only after it has read the mask. */
static long read_mask(uintptr_t address) { return smf_call(SYS_rt_sigprocmask, -1, (long)address, 0, 8); }

/* Whether the 8 bytes at an address can be read. */
int smf_is_readable(uintptr_t address) {
  if (address < PAGE) return 0;
  if (read_mask(address) == -EFAULT) return 0;
  if (read_mask(8) == -EFAULT) return 1;
  /* Emulators of the kernel refuse it before. Pages without access then pass for readable ones. */
  return smf_call(SYS_msync, (long)(address & ~(uintptr_t)(PAGE - 1)), PAGE, MS_ASYNC, 0) == 0;
}

/* The page that was found readable last, or 1. */
static uintptr_t readable = 1;

/* Like smf_is_readable, for many words of one stack: asks once a page. For one thread at a time. */
int smf_is_readable_again(uintptr_t address) {
  uintptr_t page = address & ~(uintptr_t)(PAGE - 1);
  if (page == readable && address - page <= PAGE - 8) return 1;
  if (!smf_is_readable(address)) return 0;
  readable = page;
  return 1;
}

/* Forgets what was readable: a handler begins. */
void smf_forget_readable(void) { readable = 1; }

/* Reads hexadecimal digits. */
static uintptr_t digits(const char **at, const char *end) {
  uintptr_t value = 0;
  for (; *at < end; ++*at) {
    char digit = **at;
    int number = digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
    if (number < 0) break;
    value = value << 4 | (uintptr_t)number;
  }
  return value;
}

/* Whether code can run at an address, as /proc/self/maps says; also if nobody says. For one thread at a time. */
int smf_is_executable(uintptr_t address) {
  static char lines[4096];
  size_t kept = 0;
  long file = smf_call(SYS_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0), count;
  if (file < 0) return 1;
  int result = 1, is_found = 0;
  while (!is_found && (count = smf_call(SYS_read, file, (long)(lines + kept), (long)(sizeof lines - kept), 0)) > 0) {
    const char *at = lines, *end = lines + kept + count, *line = at;
    for (; at < end && !is_found; at++) {
      if (*at != '\n') continue;
      uintptr_t from = digits(&line, at), to = line++ < at ? digits(&line, at) : 0;
      /* " r-xp": the third of the access. */
      if (address >= from && address < to && at - line > 4) result = line[3] == 'x', is_found = 1;
      line = at + 1;
    }
    kept = (size_t)(end - line);
    /* A line as long as the buffer: its path does not matter. */
    if (kept == sizeof lines) kept = 0;
    for (size_t index = 0; index < kept; index++) lines[index] = line[index];
  }
  smf_call(SYS_close, file, 0, 0, 0);
  return is_found ? result : 0;
}

/* A return address without the signature that AArch64 may have put into its high bits. */
uintptr_t smf_unsigned(uintptr_t address) {
#if defined(__aarch64__)
  return address & 0xffffffffffff;
#else
  return address;
#endif
}

/* Runs a function on another stack, which ends at `top`: alternate stacks of signals are small. */
void smf_run_on(void *top, void (*run)(void *), void *argument) {
#if defined(__x86_64__)
  __asm__ volatile("movq %%rsp, %%rbx\n\tmovq %0, %%rsp\n\tcall *%1\n\tmovq %%rbx, %%rsp"
                   : "+r"(top), "+r"(run), "+D"(argument)
                   :
                   : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "cc", "memory", "xmm0", "xmm1",
                     "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                     "xmm13", "xmm14", "xmm15");
#else
  register void *x0 __asm__("x0") = argument;
  __asm__ volatile("mov x19, sp\n\tmov sp, %1\n\tblr %2\n\tmov sp, x19"
                   : "+r"(x0)
                   : "r"(top), "r"(run)
                   : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                     "x16", "x17", "x18", "x19", "x30", "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
                     "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27",
                     "v28", "v29", "v30", "v31");
#endif
}

void smf_enter(int *lock) {
  while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) smf_call(SYS_sched_yield, 0, 0, 0, 0);
}

void smf_leave(int *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }

/* How often, and for how many nanoseconds each time, a pipe that is full is waited for. */
enum { WAITS = 20, WAIT = 100000000 };

/* Writes to standard error, as far as it can be done. */
void smf_write(const char *text, size_t length) {
  int waits = 0;
  for (size_t at = 0; at < length;) {
    long written = smf_call(SYS_write, 2, (long)(text + at), (long)(length - at), 0);
    if (written == -EAGAIN && waits++ < WAITS) {
      struct pollfd error_output = {.fd = 2, .events = POLLOUT};
      smf_call(SYS_ppoll, (long)&error_output, 1, (long)&(struct timespec){.tv_nsec = WAIT}, 0);
    } else if (written <= 0) break;
    else at += (size_t)written;
  }
}

/* Opens the file of a module, if it is the one that was loaded. Returns a negative number if it is not. */
intptr_t smf_open_unchanged(const struct module *module) {
  struct stat now;
  int file = (int)smf_call(SYS_openat, AT_FDCWD, (long)module->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  if (file < 0) return -1;
  if (smf_call(SYS_fstat, file, (long)&now, 0, 0) == 0 && (uint64_t)now.st_size == module->facts.file_size &&
      (uint64_t)now.st_mtim.tv_sec * 1000 + (uint64_t)now.st_mtim.tv_nsec / 1000000 == module->facts.file_time) {
    return file;
  }
  smf_call(SYS_close, file, 0, 0, 0);
  return -1;
}

/* Reads a part of an open file. Returns the number of bytes, which is not above 0 if there are none. */
long smf_read_at(intptr_t file, void *into, size_t size, uint64_t at) {
  return smf_call(SYS_pread64, file, (long)into, (long)size, (long)at);
}

void smf_close(intptr_t file) { smf_call(SYS_close, file, 0, 0, 0); }

/* The thread pointer, which no other thread has at the same time. The code of callbacks compares it. */
uintptr_t smf_this_thread(void) {
  uintptr_t thread;
#if defined(__x86_64__)
  __asm__ volatile("movq %%fs:0, %0" : "=r"(thread));
#else
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(thread));
#endif
  return thread;
}

uint8_t *smf_reserve_code(size_t code, size_t size) {
  void *memory = mmap(0, code + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? 0 : memory;
}

int smf_finish_code(uint8_t *memory, size_t code) { return mprotect(memory, code, PROT_READ | PROT_EXEC) == 0; }

void smf_free_code(uint8_t *memory, size_t size) { munmap(memory, size); }

/* Reads the registers at the time of the signal. */
void smf_first_frame(struct frame *frame, void *context) {
  *frame = (struct frame){0};
#if defined(__x86_64__)
  static const uint8_t order[16] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
                                    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  const greg_t *saved = ((ucontext_t *)context)->uc_mcontext.gregs;
  for (int number = 0; number < 16; number++) frame->registers[number] = (uintptr_t)saved[order[number]];
  frame->pc = (uintptr_t)saved[REG_RIP];
#else
  const mcontext_t *saved = &((ucontext_t *)context)->uc_mcontext;
  for (int number = 0; number < 31; number++) frame->registers[number] = saved->regs[number];
  frame->registers[STACK_POINTER] = saved->sp;
  frame->pc = saved->pc;
#endif
}
