/* Questions to Windows and the processor. */
#include "windows.h"
#include <stdlib.h>
#include <string.h>

/* Filled in before any of this code is called. */
__attribute__((visibility("protected"))) struct system smf_system;

enum { COMMITTED = 0x1000, RESERVED = 0x2000, RELEASED = 0x8000 };
/* Of pages; all the protections that let code run. */
enum { NO_ACCESS = 0x01, READ_WRITE = 0x04, EXECUTE_READ = 0x20, EXECUTABLE = 0xf0, GUARD = 0x100 };

/* The words of a thread's block (TEB) that say where its stack is. */
#define TEB_WORD(offset) (*(volatile uintptr_t __seg_gs *)(offset))
enum { PAGE = 4096 };
enum { STACK_BASE = 8, STACK_LIMIT = 16, STACK_LOWEST = 0x1478 };

/* Regions that were asked for: the same ones come again and again. Only the thread that writes a report uses them. */
static struct span {
  uintptr_t start, end;
  int is_readable, is_executable;
} spans[8];
static unsigned next_span;

/* Forgets what the last report has asked for: memory has changed since. */
void smf_forget_regions(void) {
  for (unsigned index = 0; index < sizeof spans / sizeof *spans; index++) spans[index] = (struct span){0};
}

/* Finds the region that the 8 bytes at an address are in, as far as somebody asks for it. */
static const struct span *span_at(uintptr_t address) {
  for (unsigned index = 0; index < sizeof spans / sizeof *spans; index++) {
    if (address >= spans[index].start && address < spans[index].end) return &spans[index];
  }
  struct region region;
  if (smf_system.query(address, &region, sizeof region) == 0) return 0;
  int is_readable = region.state == COMMITTED && !(region.protection & (NO_ACCESS | GUARD));
  int is_executable = region.state == COMMITTED && (region.protection & EXECUTABLE);
  /* The last word may reach into the next region. */
  uintptr_t end = region.start + region.size, last = is_readable ? end - 7 : end;
  if (address >= last) return 0;
  struct span *span = &spans[next_span++ % (sizeof spans / sizeof *spans)];
  *span = (struct span){region.start, last, is_readable, is_executable};
  return span;
}

/* Whether the 8 bytes at an address can be read. */
int smf_is_readable(uintptr_t address) {
  const struct span *span = span_at(address);
  return span && span->is_readable;
}

/* Whether code can run at an address. */
int smf_is_executable(uintptr_t address) {
  const struct span *span = span_at(address);
  return span && span->is_executable;
}

uintptr_t smf_unsigned(uintptr_t address) { return address; }

struct stack smf_crashed_stack;

/*
 * Runs a function on another stack, which ends at `top` and has `size` bytes. The
 * thread's block says so meanwhile, as for fibers: functions with large frames
 * compare with it.
 */
void smf_run_on_stack(char *top, size_t size, void (*run)(void *), void *argument) {
  struct stack stack = {TEB_WORD(STACK_BASE), TEB_WORD(STACK_LIMIT), TEB_WORD(STACK_LOWEST)};
  smf_crashed_stack = stack;
  TEB_WORD(STACK_LIMIT) = (uintptr_t)top - size;
  TEB_WORD(STACK_BASE) = (uintptr_t)top;
  /* Callees may write to the 32 bytes above their return address. */
  __asm__ volatile("movq %%rsp, %%rbx\n\tleaq -32(%0), %%rsp\n\tcall *%1\n\tmovq %%rbx, %%rsp"
                   : "+r"(top), "+r"(run), "+c"(argument)
                   :
                   : "rax", "rbx", "rdx", "r8", "r9", "r10", "r11", "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3",
                     "xmm4", "xmm5");
  TEB_WORD(STACK_BASE) = stack.base;
  TEB_WORD(STACK_LIMIT) = stack.limit;
}

/*
 * Has the system notice the next overflow of this thread's stack: puts pages that notice
 * at its end, as many as the thread wants to have left then, if there are none any more.
 * Some stacks have one only, after which no handler has room.
 */
void smf_mend_stack(void) {
  struct region region;
  uint32_t size = 0, before;
  uintptr_t last = TEB_WORD(STACK_LOWEST) + PAGE, here = (uintptr_t)__builtin_frame_address(0);
  smf_system.guarantee(&size);
  size = (size + PAGE - 1) / PAGE * PAGE + PAGE;
  /* The end of a stack that has not come so far is not there yet. */
  if (smf_system.query(last, &region, sizeof region) == 0 || region.state != COMMITTED) return;
  if ((region.protection & GUARD) && region.size >= size) return;
  if (here < last + size + PAGE || here >= TEB_WORD(STACK_BASE)) return;
  if (!smf_system.protect((void *)last, size, READ_WRITE | GUARD, &before)) return;
  if (TEB_WORD(STACK_LIMIT) < last + size) TEB_WORD(STACK_LIMIT) = last + size;
}

/* The address of the thread's block. The code of callbacks compares it. */
uintptr_t smf_this_thread(void) {
  enum { SELF = 0x30 };
  return TEB_WORD(SELF);
}

uint8_t *smf_reserve_code(size_t code, size_t size) {
  return smf_system.reserve(0, code + size, COMMITTED | RESERVED, READ_WRITE);
}

int smf_finish_code(uint8_t *memory, size_t code) {
  uint32_t before;
  return smf_system.protect(memory, code, EXECUTE_READ, &before) != 0;
}

void smf_free_code(uint8_t *memory, size_t size) {
  (void)size;
  smf_system.release(memory, 0, RELEASED);
}

void smf_enter(int *lock) {
  while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)) smf_system.sleep(0);
}

void smf_leave(int *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }

/* STD_ERROR_HANDLE */
#define ERROR_OUTPUT ((uint32_t)-12)

/* Writes to standard error, as far as it can be done. */
void smf_write(const char *text, size_t length) {
  uint32_t written;
  for (size_t at = 0; at < length; at += written) {
    written = 0;
    if (!smf_system.write(smf_system.standard_handle(ERROR_OUTPUT), text + at, (uint32_t)(length - at), &written, 0)) return;
    if (written == 0) return;
  }
}

/* From the first day of FILETIME to that of time in JavaScript, in milliseconds. */
#define EPOCH 11644473600000ull

enum { UTF8 = 65001, SHARED = 7, OPEN_EXISTING = 3, NORMAL = 0x80 };
#define GENERIC_READ 0x80000000u

/* Opens the file of a module, if it is the one that was loaded. Returns a negative number if it is not. */
intptr_t smf_open_unchanged(const struct module *module) {
  static uint16_t path[4096];
  struct file_information now;
  if (!module->path[0] || !smf_system.widen(UTF8, 0, module->path, -1, path, sizeof path / sizeof *path)) return -1;
  void *file = smf_system.open(path, GENERIC_READ, SHARED, 0, OPEN_EXISTING, NORMAL, 0);
  if ((intptr_t)file == -1) return -1;
  if (smf_system.information(file, &now)) {
    uint64_t size = (uint64_t)now.size_high << 32 | now.size_low;
    uint64_t time = ((uint64_t)now.written[1] << 32 | now.written[0]) / 10000 - EPOCH;
    if (size == module->facts.file_size && time == module->facts.file_time) return (intptr_t)file;
  }
  smf_system.close(file);
  return -1;
}

/* Reads a part of an open file. Returns the number of bytes, which is not above 0 if there are none. */
long smf_read_at(intptr_t file, void *into, size_t size, uint64_t at) {
  struct overlapped place = {.offset = at};
  uint32_t count = 0;
  return smf_system.read((void *)file, into, (uint32_t)size, &count, &place) ? (long)count : -1;
}

void smf_close(intptr_t file) { smf_system.close((void *)file); }

/* The places of registers in a context, by their DWARF numbers. */
static const uint8_t places[16] = {0, 2, 1, 3, 6, 7, RBP, RSP, 8, 9, 10, 11, 12, 13, 14, 15};

/* Reads the registers at the time of the exception. */
void smf_first_frame(struct frame *frame, void *context) {
  const struct context *saved = context;
  *frame = (struct frame){.pc = saved->rip};
  for (int number = 0; number < 16; number++) frame->registers[number] = saved->registers[places[number]];
}

/* Makes a context of the registers of a frame. */
void smf_context_of(const struct frame *frame, struct context *context) {
  for (int number = 0; number < 16; number++) context->registers[places[number]] = frame->registers[number];
  context->rip = frame->pc;
}

/* The functions of the C library that modules.c and the compiler use. */
void *malloc(size_t size) { return smf_system.allocate(smf_system.heap(), 0, size); }

void *calloc(size_t count, size_t size) {
  enum { ZEROED = 8 };
  return smf_system.allocate(smf_system.heap(), ZEROED, count * size);
}

void free(void *memory) {
  if (memory) smf_system.free(smf_system.heap(), 0, memory);
}

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  void *result = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return result;
}

void *memset(void *to, int value, size_t size) {
  void *result = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return result;
}
