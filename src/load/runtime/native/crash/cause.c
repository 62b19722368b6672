/* The cause of a crash by its signal, and the report around it (Linux). */
#include "guard.h"
#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

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

/* Writes what has happened. Returns what to do next. */
static const char *say_cause(int number, const siginfo_t *info, void *context, const struct frame *frame) {
  uintptr_t address = (uintptr_t)info->si_addr;
  smf_say(names[number]);
  if (info->si_code <= 0) {
    if (number == SIGABRT && info->si_pid == smf_call(SYS_getpid, 0, 0, 0, 0)) {
      return "the code ended the process itself, by abort(); what it wrote before says why";
    }
    smf_say(", sent by process ");
    smf_say_number((uint64_t)info->si_pid);
    return "the code did nothing wrong; this is where it was when the signal came";
  }
  if (number == SIGFPE) {
    smf_say(info->si_code == FPE_INTDIV ? ", division by zero or overflow of a division" : ", error of arithmetic");
    return "look at what the function divides by";
  }
  if (number == SIGILL) {
    smf_say(", invalid instruction");
    return "the code came to a place that its compiler took for unreachable, or is for another processor: "
           "smf inspect FILE says for which";
  }
  if (number == SIGTRAP) {
    smf_say(", trap");
    return "the code came to a place that its compiler took for unreachable, or to a breakpoint";
  }
  if (info->si_code == SI_KERNEL) {
    smf_say(", access to an address that no memory can have");
    return "look for a pointer that was overwritten or never set";
  }
  if (smf_is_near_stack(address, frame->registers[STACK_POINTER])) {
    smf_say(", stack overflow at ");
    smf_say_hex(address);
    return "look for a recursion without end, and for large arrays in local variables";
  }
  const char *for_file = "look for a file that became shorter while it was mapped, or an address that is not aligned";
  return smf_say_access(frame->pc, address == frame->pc ? "call of" : access_of(context), address,
                        number == SIGBUS ? for_file : 0);
}

/* Writes the report of a crash. */
void smf_write_report(int number, const siginfo_t *info, void *context) {
  struct frame frame;
  char thread[16] = "";
  smf_first_frame(&frame, context);
  smf_call(SYS_prctl, PR_GET_NAME, (long)thread, 0, 0);
  smf_say("\nCrash in native code: ");
  const char *next = say_cause(number, info, context, &frame);
  smf_say(" (thread ");
  smf_say_number((uint64_t)smf_call(SYS_gettid, 0, 0, 0, 0));
  smf_say(", ");
  smf_say_name(thread, smf_size_of(thread));
  smf_end_report(context, next);
}

/*
 * Describes a crash that is survived in the cell of a guard: a line with the cause, the
 * signal, the address and the next step, and one for each frame; the parts of a line
 * have tabs between them.
 */
void smf_describe(int number, const siginfo_t *info, void *context, struct guard_cell *cell) {
  struct frame frame;
  smf_first_frame(&frame, context);
  smf_say_into(cell->text, cell->room);
  const char *next = say_cause(number, info, context, &frame);
  smf_put('\t');
  smf_say(names[number]);
  smf_put('\t');
  if ((number == SIGSEGV || number == SIGBUS) && info->si_code != SI_KERNEL) smf_say_hex((uintptr_t)info->si_addr);
  smf_put('\t');
  smf_say(next);
  smf_describe_frames(frame, 0);
  cell->length = (uint32_t)smf_said();
}
