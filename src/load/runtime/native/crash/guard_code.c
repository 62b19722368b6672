/*
 * The machine code of guards: smf_guard, which the code of entries jumps to with the
 * address of the record in %r11 or x16; smf_guard_return, where the function returns to;
 * and smf_guard_recover, where a thread goes on after a crash, with the stack pointer
 * and the frame pointer of the frame. smf_clearing_guard first clears 256 bytes below
 * the frame: JavaScript has left return addresses there, and functions leave holes in
 * their frames. Where code has no unwind tables and its stack is searched for return
 * addresses, those would count.
 */
#include "frame_code.h"
#include "guard.h"

#define NAMES "smf_clearing_guard, smf_guard, smf_guard_return, smf_guard_recover, smf_guard_end\n"
#define BEGIN                             \
  ".text\n"                               \
  ".balign 16\n"                          \
  ".globl " NAMES                         \
  ".hidden " NAMES                        \
  ".type smf_clearing_guard, @function\n" \
  "smf_clearing_guard:\n"                 \
  ".cfi_startproc\n"
#define END          \
  ".cfi_endproc\n"   \
  "smf_guard_end:\n" \
  ".size smf_clearing_guard, . - smf_clearing_guard\n"

#if defined(__x86_64__)

/* Clears 32 bytes, which end at `at` bytes below the frame of smf_guard: 72 bytes below the stack pointer at its start. */
#define CLEAR_32(at) "movaps %xmm15, -72-32-" #at "(%rsp)\n movaps %xmm15, -72-16-" #at "(%rsp)\n"

/*
 * The frame: %rbp, then the registers that belong to callers, the entry's record,
 * the frame that was the cell's innermost before, and a word that aligns the stack.
 * Arguments on the stack are copied below. %rax, %rdi, %rsi, %rdx, %rcx, %r8, %r9 and
 * %xmm0 to %xmm7 have arguments (System V ABI, x86-64, 3.2.3) and stay as they are.
 */
__asm__(
    BEGIN
    "pxor %xmm15, %xmm15\n"
    CLEAR_32(0) CLEAR_32(32) CLEAR_32(64) CLEAR_32(96) CLEAR_32(128) CLEAR_32(160) CLEAR_32(192) CLEAR_32(224)
    "smf_guard:\n"
    ENTER_FRAME
    "pushq %rbx\n"
    ".cfi_offset %rbx, -24\n"
    "pushq %r12\n"
    ".cfi_offset %r12, -32\n"
    "pushq %r13\n"
    ".cfi_offset %r13, -40\n"
    "pushq %r14\n"
    ".cfi_offset %r14, -48\n"
    "pushq %r15\n"
    ".cfi_offset %r15, -56\n"
    "pushq %r11\n"
    "movq 32(%r11), %r10\n"
    "pushq 8(%r10)\n"
    "subq $8, %rsp\n"
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
    "movq -48(%rbp), %r11\n"
    "movq 32(%r11), %r10\n"
    "movq -56(%rbp), %r11\n"
    "movq %r11, 8(%r10)\n"
    LEAVE_FRAME
    COPY_ARGUMENTS(-48)
    "4:\n" /* refuses the call */
    "movq 32(%r11), %r10\n"
    "movl $2, (%r10)\n"
    "5:\n"
    "xorl %eax, %eax\n"
    "xorl %edx, %edx\n"
    "pxor %xmm0, %xmm0\n"
    "pxor %xmm1, %xmm1\n"
    "jmp smf_guard_return\n"
    "smf_guard_recover:\n" /* continues here after a crash: %rbp and %rsp are the frame's */
    "fninit\n"
    "movl $0x1f80, -64(%rbp)\n"
    "ldmxcsr -64(%rbp)\n"
    "movq -8(%rbp), %rbx\n"
    "movq -16(%rbp), %r12\n"
    "movq -24(%rbp), %r13\n"
    "movq -32(%rbp), %r14\n"
    "movq -40(%rbp), %r15\n"
    "jmp 5b\n"
    END);

#else

/* Clears 16 bytes, which end at `at` bytes below the frame of smf_guard: 176 bytes below the stack pointer at its start. */
#define CLEAR_16(at) "stp xzr, xzr, [sp, #-176-16-" #at "]\n"

/*
 * The frame: x29 and x30, the registers that belong to callers, the entry's record, and
 * the frame that was the cell's innermost before. Arguments on the stack are copied
 * below. x0 to x8 and v0 to v7 have arguments (AAPCS64, 6.4) and stay as they are.
 */
__asm__(
    BEGIN
    "hint #34\n" /* bti c */
    CLEAR_16(0) CLEAR_16(16) CLEAR_16(32) CLEAR_16(48) CLEAR_16(64) CLEAR_16(80) CLEAR_16(96) CLEAR_16(112)
    CLEAR_16(128) CLEAR_16(144) CLEAR_16(160) CLEAR_16(176) CLEAR_16(192) CLEAR_16(208) CLEAR_16(224) CLEAR_16(240)
    "smf_guard:\n"
    "hint #34\n" /* bti c */
    ENTER_FRAME(176)
    "stp x19, x20, [x29, #16]\n"
    ".cfi_offset x19, -160\n"
    ".cfi_offset x20, -152\n"
    "stp x21, x22, [x29, #32]\n"
    ".cfi_offset x21, -144\n"
    ".cfi_offset x22, -136\n"
    "stp x23, x24, [x29, #48]\n"
    ".cfi_offset x23, -128\n"
    ".cfi_offset x24, -120\n"
    "stp x25, x26, [x29, #64]\n"
    ".cfi_offset x25, -112\n"
    ".cfi_offset x26, -104\n"
    "stp x27, x28, [x29, #80]\n"
    ".cfi_offset x27, -96\n"
    ".cfi_offset x28, -88\n"
    "stp d8, d9, [x29, #96]\n"
    "stp d10, d11, [x29, #112]\n"
    "stp d12, d13, [x29, #128]\n"
    "stp d14, d15, [x29, #144]\n"
    "ldr x17, [x16, #32]\n"
    "ldr x9, [x17, #8]\n"
    "stp x16, x9, [x29, #160]\n"
    "mov x9, x29\n"
    "str x9, [x17, #8]\n"
    "ldr x17, [x16, #24]\n"
    "ldr x17, [x17]\n"
    "ldr w17, [x17]\n"
    "cbnz w17, 4f\n"
    "ldr x17, [x16, #16]\n"
    "cbnz x17, 2f\n"
    "1:\n"
    "ldr x17, [x16, #8]\n"
    "blr x17\n"
    "smf_guard_return:\n"
    "ldp x16, x9, [x29, #160]\n"
    "ldr x17, [x16, #32]\n"
    "str x9, [x17, #8]\n"
    LEAVE_FRAME(176)
    COPY_ARGUMENTS(176)
    "4:\n" /* refuses the call */
    "ldr x17, [x16, #32]\n"
    "mov w9, #2\n"
    "str w9, [x17]\n"
    "5:\n"
    "mov x0, #0\n"
    "mov x1, #0\n"
    "movi v0.2d, #0\n"
    "movi v1.2d, #0\n"
    "movi v2.2d, #0\n"
    "movi v3.2d, #0\n"
    "b smf_guard_return\n"
    "smf_guard_recover:\n" /* continues here after a crash */
    "hint #36\n" /* bti j */
    "msr fpcr, xzr\n"
    "ldp x19, x20, [x29, #16]\n"
    "ldp x21, x22, [x29, #32]\n"
    "ldp x23, x24, [x29, #48]\n"
    "ldp x25, x26, [x29, #64]\n"
    "ldp x27, x28, [x29, #80]\n"
    "ldp d8, d9, [x29, #96]\n"
    "ldp d10, d11, [x29, #112]\n"
    "ldp d12, d13, [x29, #128]\n"
    "ldp d14, d15, [x29, #144]\n"
    "b 5b\n"
    END);

#endif
