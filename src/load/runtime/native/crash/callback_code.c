/*
 * The machine code in front of callbacks: smf_callback, which the code of entries jumps
 * to with the address of the record in %r11 or x16. It calls the callback, and its frame
 * has the registers that belong to callers, so that the native frames above it can be
 * walked while the callback runs: code of the engine that is below has no unwind tables.
 *
 * The frame is found on the stack by the address of the record, and by a word that has
 * the frame's own address until the callback comes back.
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
    "movq 16(%r11), %r10\n"
    "testq %r10, %r10\n"
    "jne 2f\n"
    "1:\n"
    "call *8(%r11)\n"
    "movq $0, -56(%rbp)\n"
    LEAVE_FRAME
    COPY_ARGUMENTS(-48)
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
    "ldr x17, [x16, #16]\n"
    "cbnz x17, 2f\n"
    "1:\n"
    "ldr x17, [x16, #8]\n"
    "blr x17\n"
    "str xzr, [x29, #104]\n"
    LEAVE_FRAME(112)
    COPY_ARGUMENTS(112)
    END);

#endif
