/*
 * Parts of the machine code that stands in front of functions (guard_code.c, callback_code.c): a frame of its own,
 * and a copy of the arguments on the stack below it, since the function finds them above its return address.
 *
 * The code calls the function behind its label 1. Where there are arguments on the stack, it goes to label 2 first,
 * with their size in %r10 or x17; the code behind that goes back to label 1.
 */
#ifndef FRAME_CODE_H
#define FRAME_CODE_H

#if defined(__x86_64__)

#define ENTER_FRAME             \
  "pushq %rbp\n"                \
  ".cfi_def_cfa_offset 16\n"    \
  ".cfi_offset %rbp, -16\n"     \
  "movq %rsp, %rbp\n"           \
  ".cfi_def_cfa_register %rbp\n"

#define LEAVE_FRAME         \
  "leave\n"                 \
  ".cfi_remember_state\n"   \
  ".cfi_def_cfa %rsp, 8\n"  \
  "ret\n"                   \
  ".cfi_restore_state\n"

/* The word at `record` is where the frame has what was in %r11. */
#define COPY_ARGUMENTS(record)      \
  "2:\n"                            \
  "subq %r10, %rsp\n"               \
  "3:\n"                            \
  "movq 8(%rbp,%r10), %r11\n"       \
  "movq %r11, -8(%rsp,%r10)\n"      \
  "subq $8, %r10\n"                 \
  "jne 3b\n"                        \
  "movq " #record "(%rbp), %r11\n"  \
  "jmp 1b\n"

#else

/* `size` is that of the frame in bytes. */
#define ENTER_FRAME(size)                \
  "stp x29, x30, [sp, #-" #size "]!\n"   \
  ".cfi_def_cfa_offset " #size "\n"      \
  ".cfi_offset x29, -" #size "\n"        \
  ".cfi_offset x30, 8-" #size "\n"       \
  "mov x29, sp\n"                        \
  ".cfi_def_cfa_register x29\n"

#define LEAVE_FRAME(size)                \
  "mov sp, x29\n"                        \
  "ldp x29, x30, [sp], #" #size "\n"     \
  ".cfi_remember_state\n"                \
  ".cfi_def_cfa sp, 0\n"                 \
  "ret\n"                                \
  ".cfi_restore_state\n"

#define COPY_ARGUMENTS(size)             \
  "2:\n"                                 \
  "sub sp, sp, x17\n"                    \
  "add x9, x29, #" #size "\n"            \
  "3:\n"                                 \
  "sub x17, x17, #8\n"                   \
  "ldr x10, [x9, x17]\n"                 \
  "str x10, [sp, x17]\n"                 \
  "cbnz x17, 3b\n"                       \
  "b 1b\n"

#endif

#endif
