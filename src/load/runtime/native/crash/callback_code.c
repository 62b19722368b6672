/*
 * The machine code in front of callbacks: smf_callback, which the code of entries jumps
 * to with the address of the record in %r11 or x16. It calls the callback, and its frame
 * has the registers that belong to callers, so that the native frames above it can be
 * walked while the callback runs: code of the engine that is below has no unwind tables.
 *
 * The frame is found on the stack by the address of the record, and by a word that has
 * the frame's own address until the callback comes back.
 *
 * A thread that runs no JavaScript of this isolate waits until the isolate's thread has run the callback, maybe with others
 * that have called the same one. So it calls another function, which has one more parameter: the address of this
 * frame. Its place is a number among the words that the registers for integers have, in the order of the
 * parameters, and behind them the arguments on the stack.
 */
#include "frame_code.h"
#include "callers.h"

#define BEGIN                       \
  ".text\n"                         \
  ".balign 16\n"                    \
  ".globl smf_callback\n"           \
  ".hidden smf_callback\n"          \
  ".type smf_callback, @function\n" \
  "smf_callback:\n"                 \
  ".cfi_startproc\n"
#define END        \
  ".cfi_endproc\n" \
  ".size smf_callback, . - smf_callback\n"

#if defined(__x86_64__)

/*
 * The frame: %rbp, then the registers that belong to callers, the record, the frame's
 * own address, and a word that aligns the stack. Arguments on the stack are copied
 * below. All registers for arguments and results stay as they are (System V ABI, x86-64, 3.2.3).
 */
__asm__(
    BEGIN
    ENTER_FRAME
    "pushq %rbx\n"
    "pushq %r12\n"
    "pushq %r13\n"
    "pushq %r14\n"
    "pushq %r15\n"
    "pushq %r11\n"
    "pushq %rbp\n"
    "subq $8, %rsp\n"
    "movq %fs:0, %r10\n"
    "cmpq 24(%r11), %r10\n"
    "jne 4f\n"
    "movq 16(%r11), %r10\n"
    "testq %r10, %r10\n"
    "jne 2f\n"
    "1:\n"
    "call *8(%r11)\n"
    "7:\n"
    "movq $0, -56(%rbp)\n"
    LEAVE_FRAME
    COPY_ARGUMENTS(-48)
    "4:\n" /* on another thread */
    "movq 16(%r11), %r10\n"
    "subq %r10, %rsp\n"
    "jmp 6f\n"
    "5:\n"
    "movq 8(%rbp,%r10), %r11\n"
    "movq %r11, -8(%rsp,%r10)\n"
    "subq $8, %r10\n"
    "6:\n"
    "testq %r10, %r10\n"
    "jne 5b\n"
    "pushq %r9\n pushq %r8\n pushq %rcx\n pushq %rdx\n pushq %rsi\n pushq %rdi\n"
    "movq -48(%rbp), %r11\n"
    "movq 64(%r11), %r10\n"
    "movq %rbp, (%rsp,%r10,8)\n"
    "popq %rdi\n popq %rsi\n popq %rdx\n popq %rcx\n popq %r8\n popq %r9\n"
    "call *40(%r11)\n"
    "jmp 7b\n"
    END);

#else

/*
 * The frame: x29 and x30, the registers that belong to callers, the record, and the
 * frame's own address. Arguments on the stack are copied below. All registers for
 * arguments and results stay as they are (AAPCS64, 6.4).
 */
__asm__(
    BEGIN
    "hint #34\n" /* bti c */
    ENTER_FRAME(112)
    "stp x19, x20, [x29, #16]\n"
    "stp x21, x22, [x29, #32]\n"
    "stp x23, x24, [x29, #48]\n"
    "stp x25, x26, [x29, #64]\n"
    "stp x27, x28, [x29, #80]\n"
    "stp x16, x29, [x29, #96]\n"
    "mrs x9, tpidr_el0\n"
    "ldr x17, [x16, #24]\n"
    "cmp x9, x17\n"
    "b.ne 4f\n"
    "ldr x17, [x16, #16]\n"
    "cbnz x17, 2f\n"
    "1:\n"
    "ldr x17, [x16, #8]\n"
    "blr x17\n"
    "7:\n"
    "str xzr, [x29, #104]\n"
    LEAVE_FRAME(112)
    COPY_ARGUMENTS(112)
    "4:\n" /* on another thread */
    "ldr x17, [x16, #16]\n"
    "sub sp, sp, x17\n"
    "add x9, x29, #112\n"
    "b 6f\n"
    "5:\n"
    "sub x17, x17, #8\n"
    "ldr x10, [x9, x17]\n"
    "str x10, [sp, x17]\n"
    "6:\n"
    "cbnz x17, 5b\n"
    "stp x0, x1, [sp, #-64]!\n"
    "stp x2, x3, [sp, #16]\n"
    "stp x4, x5, [sp, #32]\n"
    "stp x6, x7, [sp, #48]\n"
    "ldr x9, [x16, #64]\n"
    "str x29, [sp, x9, lsl #3]\n"
    "ldp x2, x3, [sp, #16]\n"
    "ldp x4, x5, [sp, #32]\n"
    "ldp x6, x7, [sp, #48]\n"
    "ldp x0, x1, [sp], #64\n"
    "ldr x17, [x16, #40]\n"
    "blr x17\n"
    "b 7b\n"
    END);

#endif
