/* The cause of a crash by its exception, and the report around it (Windows). */
#include "windows.h"

struct name {
  uint32_t code;
  char text[44];
};

/* Text in place: the code must be free of addresses that somebody would have to relocate. */
static const struct name names[] = {
    {ACCESS_VIOLATION, "EXCEPTION_ACCESS_VIOLATION"},
    {IN_PAGE_ERROR, "EXCEPTION_IN_PAGE_ERROR"},
    {ILLEGAL_INSTRUCTION, "EXCEPTION_ILLEGAL_INSTRUCTION"},
    {PRIVILEGED_INSTRUCTION, "EXCEPTION_PRIV_INSTRUCTION"},
    {DIVIDE_BY_ZERO, "EXCEPTION_INT_DIVIDE_BY_ZERO"},
    {INTEGER_OVERFLOW, "EXCEPTION_INT_OVERFLOW"},
    {STACK_OVERFLOW, "EXCEPTION_STACK_OVERFLOW"},
    {MISALIGNED, "EXCEPTION_DATATYPE_MISALIGNMENT"},
    {BOUNDS_EXCEEDED, "EXCEPTION_ARRAY_BOUNDS_EXCEEDED"},
    {BREAKPOINT, "EXCEPTION_BREAKPOINT"},
};

static void say_name(uint32_t code) {
  const char *name = code >= FLOAT_FIRST && code <= FLOAT_LAST ? "EXCEPTION_FLT" : "exception";
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    if (names[index].code == code) name = names[index].text;
  }
  smf_say(name);
}

/* Whether an access is one of a stack that has no more room, also where it went past the page that notices. */
static int is_overflow(const struct exception *exception, const struct context *context) {
  if (exception->code == STACK_OVERFLOW) return 1;
  uintptr_t address = exception->information[1];
  return smf_is_near_stack(address, context->registers[RSP]) && address < smf_crashed_stack.limit + 4096;
}

/* Writes what has happened. Returns what to do next. */
static const char *say_cause(const struct exception *exception, struct context *context) {
  uint32_t code = exception->code;
  say_name(code);
  smf_say(" (");
  smf_say_hex(code);
  smf_say(")");
  if (code == DIVIDE_BY_ZERO || code == INTEGER_OVERFLOW) {
    smf_say(code == DIVIDE_BY_ZERO ? ", division by zero" : ", overflow of a division");
    return "look at what the function divides by";
  }
  if (code == ILLEGAL_INSTRUCTION || code == PRIVILEGED_INSTRUCTION) {
    smf_say(", invalid instruction");
    return "the code came to a place that its compiler took for unreachable, or is for another processor: "
           "smf inspect FILE says for which";
  }
  if (code >= BOUNDS_EXCEEDED && code <= FLOAT_LAST) {
    smf_say(", error of arithmetic");
    return "look at the numbers that the function calculates with";
  }
  if (code == BREAKPOINT) return "the code came to a breakpoint that is in it";
  if (code == MISALIGNED) return "look for an address that is not aligned";
  uintptr_t address = exception->information[1];
  if (is_overflow(exception, context)) {
    smf_say(", stack overflow");
    return "look for a recursion without end, and for large arrays in local variables";
  }
  uintptr_t access = exception->information[0];
  if (address == UINTPTR_MAX) {
    smf_say(", access to an address that no memory can have");
    return "look for a pointer that was overwritten or never set";
  }
  const char *for_file = "look for a file that cannot be read any more while it is mapped";
  return smf_say_access(context->rip, access == EXECUTE ? "call of" : access == WRITE ? "write to" : "read of", address,
                        code == IN_PAGE_ERROR ? for_file : 0);
}

/* The next step after an abort. */
static const char abort_next[] = "the code ended the process itself, by abort(); what it wrote before says why";

static void write_report(const char *next, struct context *context) {
  smf_say(" (thread ");
  smf_say_number(smf_system.thread());
  smf_end_report(context, next);
}

/* Writes the report of an exception. */
void smf_write_exception(const struct exception *exception, struct context *context) {
  smf_say("\nCrash in native code: ");
  write_report(say_cause(exception, context), context);
}

/* Writes the report of a call of abort by a module; `context` is that of the call. */
void smf_write_abort(struct context *context) {
  smf_say("\nCrash in native code: abort");
  write_report(abort_next, context);
}

/*
 * Describes a crash that is survived in the cell of a guard, as on Linux; `exception` is
 * null for an abort. What stands for the signal is the name of the exception.
 */
void smf_describe(const struct exception *exception, struct context *context, struct guard_cell *cell) {
  smf_say_into(cell->text, cell->room);
  const char *next = abort_next;
  if (exception) next = say_cause(exception, context);
  else smf_say("abort");
  smf_put('\t');
  if (exception) say_name(exception->code);
  else smf_say("abort");
  smf_put('\t');
  uint32_t code = exception ? exception->code : 0;
  if ((code == ACCESS_VIOLATION || code == IN_PAGE_ERROR) && exception->information[1] != UINTPTR_MAX) {
    smf_say_hex(exception->information[1]);
  }
  smf_put('\t');
  smf_say(next);
  struct frame frame;
  smf_first_frame(&frame, context);
  smf_describe_frames(frame, 0);
  cell->length = (uint32_t)smf_said();
}
