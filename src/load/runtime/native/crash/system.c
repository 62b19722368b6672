/* What asks the kernel and the processor, in code for each. */
#include "crash.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

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
