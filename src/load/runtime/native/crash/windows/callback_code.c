/*
 * The machine code in front of callbacks on Windows: what callback_code.c has for Linux, in the calling
 * convention of Windows (x64 software conventions), with the table that the system unwinds by.
 */
#include "windows.h"
#include "../callers.h"

/* Pushes a register. The labels are for the table. */
#define PUSH(name) "pushq %" #name "\n.Lafter_" #name ":\n"
/* A code of the table: UWOP_PUSH_NONVOL. */
#define PUSHED(name, number) ".byte .Lafter_" #name " - smf_callback, " #number " << 4\n"

/*
 * The frame: the registers that belong to callers, down to %r15; from %rbp on, which is its
 * end: 32 bytes that callees may use, the record, and the frame's own address. Arguments on the
 * stack are copied below, so that they end at %rbp + 32. The words of registers, among which is the
 * place of the last parameter, are in the room for callees.
 */
__asm__(
    ".text\n"
    ".balign 16\n"
    ".globl smf_callback, smf_callback_end, smf_callback_unwind\n"
    ".hidden smf_callback, smf_callback_end, smf_callback_unwind\n"
    "smf_callback:\n"
    PUSH(rbp) PUSH(rbx) PUSH(rsi) PUSH(rdi) PUSH(r12) PUSH(r13) PUSH(r14) PUSH(r15)
    "subq $56, %rsp\n"
    ".Lafter_room:\n"
    "movq %rsp, %rbp\n"
    ".Lafter_frame:\n"
    "movq %r11, 32(%rbp)\n"
    "movq %rbp, 40(%rbp)\n"
    "movq %gs:0x30, %r10\n"
    "cmpq 24(%r11), %r10\n"
    "jne 4f\n"
    "movq 16(%r11), %r10\n"
    "testq %r10, %r10\n"
    "jne 2f\n"
    "1:\n"
    "call *8(%r11)\n"
    "7:\n"
    "movq $0, 40(%rbp)\n"
    "leaq 56(%rbp), %rsp\n"
    "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rdi\n popq %rsi\n popq %rbx\n popq %rbp\n"
    "ret\n"
    "2:\n" /* copies %r10 bytes of arguments */
    "subq %r10, %rsp\n"
    "3:\n"
    "movq 152(%rbp,%r10), %rax\n"
    "movq %rax, 24(%rsp,%r10)\n"
    "subq $8, %r10\n"
    "jne 3b\n"
    "jmp 1b\n"
    "4:\n" /* on another thread */
    "movq 16(%r11), %r10\n"
    "subq %r10, %rsp\n"
    "jmp 6f\n"
    "5:\n"
    "movq 152(%rbp,%r10), %rax\n"
    "movq %rax, 24(%rsp,%r10)\n"
    "subq $8, %r10\n"
    "6:\n"
    "testq %r10, %r10\n"
    "jne 5b\n"
    "movq %rcx, (%rsp)\n movq %rdx, 8(%rsp)\n movq %r8, 16(%rsp)\n movq %r9, 24(%rsp)\n"
    "movq 64(%r11), %r10\n"
    "movq %rbp, (%rsp,%r10,8)\n"
    "movq (%rsp), %rcx\n movq 8(%rsp), %rdx\n movq 16(%rsp), %r8\n movq 24(%rsp), %r9\n"
    "call *40(%r11)\n"
    "jmp 7b\n"
    "smf_callback_end:\n"

    /* UNWIND_INFO */
    ".section .rodata\n"
    ".balign 4\n"
    "smf_callback_unwind:\n"
    ".byte 1, .Lafter_frame - smf_callback, (9f - 8f) / 2, 5\n"
    "8:\n"
    ".byte .Lafter_frame - smf_callback, 3\n"              /* UWOP_SET_FPREG */
    ".byte .Lafter_room - smf_callback, 2 | (56 / 8 - 1) << 4\n" /* UWOP_ALLOC_SMALL */
    PUSHED(r15, 15) PUSHED(r14, 14) PUSHED(r13, 13) PUSHED(r12, 12) PUSHED(rdi, 7) PUSHED(rsi, 6)
    PUSHED(rbx, 3) PUSHED(rbp, 5)
    "9:\n"
    ".balign 4\n"
    ".text\n");

/* Registers the table of callbacks' frames, once: exceptions and debuggers pass them. Returns 0 on failure. */
int smf_register_callbacks(void) {
  static int lock, is_registered;
  extern const char smf_callback_end[] __attribute__((visibility("hidden")));
  extern const char smf_callback_unwind[] __attribute__((visibility("hidden")));
  /* RUNTIME_FUNCTION: offsets from smf_callback. */
  static uint32_t function[3];
  smf_enter(&lock);
  if (!is_registered) {
    function[1] = (uint32_t)(smf_callback_end - smf_callback);
    function[2] = (uint32_t)(smf_callback_unwind - smf_callback);
    is_registered = smf_system.add_functions(function, 1, (uintptr_t)smf_callback);
  }
  smf_leave(&lock);
  return is_registered;
}
