/*
 * The machine code of guards on Windows: what guard_code.c has for Linux, in the calling
 * convention of Windows (x64 software conventions), with the tables that the system
 * unwinds by. The frame has a handler of exceptions, smf_handle_at_guard, which gets
 * those that no block of the functions behind it has taken.
 *
 * smf_guard_alone is in front of calls on threads of anybody's: it has the system notice
 * when the thread's stack overflows, and goes on in smf_clearing_guard; smf_mending_call
 * goes on in the function itself.
 *
 * smf_abort_first and smf_abort_second are what modules call in place of `abort`. They
 * keep the registers of their caller, and go on in a guard if the abort is survived.
 */
#include "windows.h"

#define NAMES                                                                           \
  "smf_clearing_guard, smf_guard, smf_guard_return, smf_guard_recover, smf_guard_end, " \
  "smf_guard_unwind, smf_guard_alone, smf_mending_call, " \
  "smf_abort_first, smf_abort_second\n"

/* Clears 32 bytes, which end at `at` bytes below the frame of smf_guard: 296 bytes below the stack pointer at its start. */
#define CLEAR_32(at) "movaps %xmm5, -296-32-" #at "(%rsp)\n movaps %xmm5, -296-16-" #at "(%rsp)\n"

/* Pushes a register; saves one in the frame. The labels are for the table. */
#define PUSH(name) "pushq %" #name "\n.Lafter_" #name ":\n"
#define SAVE(number, at) "movaps %xmm" #number ", " #at "(%rbp)\n.Lafter_xmm" #number ":\n"
/* Codes of the table: UWOP_PUSH_NONVOL, and UWOP_SAVE_XMM128 with the place in units of 16 bytes. */
#define PUSHED(name, number) ".byte .Lafter_" #name " - smf_guard, " #number " << 4\n"
#define SAVED(number, at) ".byte .Lafter_xmm" #number " - smf_guard, 8 | " #number " << 4\n .short " #at " / 16\n"

/* Calls smf_mend_stack; %r11 and the arguments in registers stay. */
#define MEND_STACK                                                                                                  \
  "pushq %rcx\n pushq %rdx\n pushq %r8\n pushq %r9\n pushq %r11\n"                                                  \
  "subq $96, %rsp\n"                                                                                                \
  "movaps %xmm0, 32(%rsp)\n movaps %xmm1, 48(%rsp)\n movaps %xmm2, 64(%rsp)\n movaps %xmm3, 80(%rsp)\n"           \
  "call smf_mend_stack\n"                                                                                           \
  "movaps 32(%rsp), %xmm0\n movaps 48(%rsp), %xmm1\n movaps 64(%rsp), %xmm2\n movaps 80(%rsp), %xmm3\n"           \
  "addq $96, %rsp\n"                                                                                                \
  "popq %r11\n popq %r9\n popq %r8\n popq %rdx\n popq %rcx\n"

/*
 * The frame: the registers that belong to callers, down to %r15; from %rbp on, which is
 * its end: 32 bytes that callees may use, the entry's record, the frame that was the
 * cell's innermost before, a word for the control of floating-point numbers, and %xmm6
 * to %xmm15. Arguments on the stack are copied below, so that they end at %rbp + 32.
 * %rcx, %rdx, %r8, %r9 and %xmm0 to %xmm3 have arguments and stay as they are.
 */
__asm__(
    ".text\n"
    ".balign 16\n"
    ".globl " NAMES
    ".hidden " NAMES
    "smf_clearing_guard:\n"
    "pxor %xmm5, %xmm5\n"
    CLEAR_32(0) CLEAR_32(32) CLEAR_32(64) CLEAR_32(96) CLEAR_32(128) CLEAR_32(160) CLEAR_32(192) CLEAR_32(224)
    "smf_guard:\n"
    PUSH(rbp) PUSH(rbx) PUSH(rsi) PUSH(rdi) PUSH(r12) PUSH(r13) PUSH(r14) PUSH(r15)
    "subq $232, %rsp\n"
    ".Lafter_room:\n"
    "movq %rsp, %rbp\n"
    ".Lafter_frame:\n"
    SAVE(6, 64) SAVE(7, 80) SAVE(8, 96) SAVE(9, 112) SAVE(10, 128)
    SAVE(11, 144) SAVE(12, 160) SAVE(13, 176) SAVE(14, 192) SAVE(15, 208)
    "movq %r11, 32(%rbp)\n"
    "movq 32(%r11), %r10\n"
    "movq 8(%r10), %rax\n"
    "movq %rax, 40(%rbp)\n"
    "movq %rbp, 8(%r10)\n"
    "movq 24(%r11), %r10\n"
    "movq (%r10), %r10\n"
    "cmpl $0, (%r10)\n"
    "jne 4f\n"
    "movq 16(%r11), %r10\n"
    "testq %r10, %r10\n"
    "jne 2f\n"
    "1:\n"
    "call *8(%r11)\n"
    "smf_guard_return:\n"
    "movq 32(%rbp), %r11\n"
    "movq 32(%r11), %r10\n"
    "movq 40(%rbp), %r11\n"
    "movq %r11, 8(%r10)\n"
    "leaq 232(%rbp), %rsp\n"
    "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rdi\n popq %rsi\n popq %rbx\n popq %rbp\n"
    "ret\n"
    "2:\n" /* copies %r10 bytes of arguments */
    "subq %r10, %rsp\n"
    "3:\n"
    "movq 328(%rbp,%r10), %rax\n"
    "movq %rax, 24(%rsp,%r10)\n"
    "subq $8, %r10\n"
    "jne 3b\n"
    "jmp 1b\n"
    "4:\n" /* refuses the call */
    "movq 32(%r11), %r10\n"
    "movl $2, (%r10)\n"
    "5:\n"
    "xorl %eax, %eax\n"
    "pxor %xmm0, %xmm0\n"
    "jmp smf_guard_return\n"
    "smf_guard_recover:\n" /* continues here after a crash: %rbp and %rsp are the frame's */
    "fninit\n"
    "movl $0x27f, 48(%rbp)\n" /* the numbers of the system: 53 bits */
    "fldcw 48(%rbp)\n"
    "movl $0x1f80, 48(%rbp)\n"
    "ldmxcsr 48(%rbp)\n"
    "movaps 64(%rbp), %xmm6\n movaps 80(%rbp), %xmm7\n movaps 96(%rbp), %xmm8\n movaps 112(%rbp), %xmm9\n"
    "movaps 128(%rbp), %xmm10\n movaps 144(%rbp), %xmm11\n movaps 160(%rbp), %xmm12\n movaps 176(%rbp), %xmm13\n"
    "movaps 192(%rbp), %xmm14\n movaps 208(%rbp), %xmm15\n"
    "call smf_mend_stack\n"
    "jmp 5b\n"
    "smf_guard_end:\n"

    "smf_guard_alone:\n"
    MEND_STACK
    "jmp smf_clearing_guard\n"
    "smf_mending_call:\n"
    MEND_STACK
    "jmp *8(%r11)\n"

    "smf_abort_second:\n"
    "movl $1, %eax\n"
    "jmp 6f\n"
    "smf_abort_first:\n"
    "xorl %eax, %eax\n"
    "6:\n"
    "leaq 8(%rsp), %r10\n"
    "pushq %r15\n pushq %r14\n pushq %r13\n pushq %r12\n pushq %r11\n pushq %r10\n pushq %r9\n pushq %r8\n"
    "pushq %rdi\n pushq %rsi\n pushq %rbp\n pushq %r10\n pushq %rbx\n pushq %rdx\n pushq %rcx\n pushq %rax\n"
    "movq %rsp, %rcx\n"
    "movl %eax, %edx\n"
    "subq $40, %rsp\n"
    "call smf_on_abort\n" /* returns the frame of the guard that goes on, or does not return */
    "movq %rax, %rbp\n"
    "movq %rax, %rsp\n"
    "cld\n"
    "jmp smf_guard_recover\n"

    "7:\n"
    "jmp smf_handle_at_guard\n"

    /* UNWIND_INFO; the offset of its handler is from smf_clearing_guard. */
    ".section .rodata\n"
    ".balign 4\n"
    "smf_guard_unwind:\n"
    ".byte 1 | 1 << 3, .Lafter_xmm15 - smf_guard, (9f - 8f) / 2, 5\n"
    "8:\n"
    SAVED(15, 208) SAVED(14, 192) SAVED(13, 176) SAVED(12, 160) SAVED(11, 144)
    SAVED(10, 128) SAVED(9, 112) SAVED(8, 96) SAVED(7, 80) SAVED(6, 64)
    ".byte .Lafter_frame - smf_guard, 3\n"                /* UWOP_SET_FPREG */
    ".byte .Lafter_room - smf_guard, 1\n .short 232 / 8\n" /* UWOP_ALLOC_LARGE */
    PUSHED(r15, 15) PUSHED(r14, 14) PUSHED(r13, 13) PUSHED(r12, 12) PUSHED(rdi, 7) PUSHED(rsi, 6)
    PUSHED(rbx, 3) PUSHED(rbp, 5)
    "9:\n"
    ".balign 4\n"
    ".long 7b - smf_clearing_guard\n"
    ".text\n");
