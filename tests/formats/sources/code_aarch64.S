/*
 * Assembly for AArch64 in ELF and Mach-O, with the questions of code_x86_64.S: references of every kind between code
 * and data, local labels, an alignment, and unwind information by hand.
 */
#ifdef __APPLE__
#define NAME(name) _##name
#define CONSTANTS .section __TEXT,__const
#define ADDRESSES .section __DATA,__const
#define PAGE(name) name@PAGE
#define REST(name) name@PAGEOFF
#else
#define NAME(name) name
#define CONSTANTS .section .rodata,"a",@progbits
#define ADDRESSES .section .data.rel.ro,"aw",@progbits
#define PAGE(name) name
#define REST(name) :lo12:name
#endif

  .text
  .globl NAME(questions)
  .p2align 4
NAME(questions):
  adrp x8, PAGE(NAME(count))
  ldr w0, [x8, REST(NAME(count))]
  ret

  /* int64_t answer(int32_t question): jumps by a table of addresses. */
  .globl NAME(answer)
  .p2align 4
NAME(answer):
  .cfi_startproc
  stp x29, x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset 29, -16
  .cfi_offset 30, -8
  mov x29, sp
  .cfi_def_cfa_register 29
  adrp x8, PAGE(table)
  add x8, x8, REST(table)
  ldr x8, [x8, w0, uxtw #3]
  blr x8
  .cfi_def_cfa 31, 16
  ldp x29, x30, [sp], #16
  .cfi_def_cfa_offset 0
  ret
  .cfi_endproc

  /* Stores and loads of several widths, whose offsets count in them. */
read_data:
  adrp x8, PAGE(NAME(written))
  mov w9, #77
  str w9, [x8, REST(NAME(written))]
  adrp x10, PAGE(bytes+2)
  ldrb w10, [x10, REST(bytes+2)]
  cmp w10, #9
  b.ne 1f
  ldrsw x0, [x8, REST(NAME(written))]
  ret
1:
  mov x0, #-1
  ret

  /* A jump by distances in constants, as compilers write them. */
by_distances:
  adrp x8, PAGE(distances)
  add x8, x8, REST(distances)
  ldrsw x9, [x8, #8]
  add x9, x9, x8
  br x9
2: mov x0, #20
  ret
3: mov x0, #30
  ret
4: mov x0, #40
  ret

  /* Calls forward and backward, and of a name that another object may define. */
calls:
  stp x29, x30, [sp, #-32]!
  str x19, [sp, #16]
  bl later
  mov x19, x0
  bl NAME(replaceable)
  add x0, x0, x19
  ldr x19, [sp, #16]
  ldp x29, x30, [sp], #32
  ret
later:
  mov x0, #5000
  ret

#ifdef __APPLE__
  .globl NAME(replaceable)
  .weak_definition NAME(replaceable)
#else
  .weak replaceable
#endif
NAME(replaceable):
  mov x0, #6
  ret

  /* The address of a function through a word of data, called from the end of another. */
tail:
  adrp x8, PAGE(word)
  ldr x8, [x8, REST(word)]
  br x8

  /* Vectors with constants of 16 bytes. */
vectors:
  adrp x8, PAGE(fours)
  ldr q0, [x8, REST(fours)]
  adrp x8, PAGE(twos)
  ldr q1, [x8, REST(twos)]
  fmul v0.4s, v0.4s, v1.4s
  fcvtzs x0, s0
  ret

  CONSTANTS
  .p2align 4
fours: .float 4.5, 4.5, 4.5, 4.5
twos: .float 2, 2, 2, 2
bytes: .byte 7, 8, 9
  .p2align 2
distances: .long 2b-distances, 3b-distances, 4b-distances
  .globl NAME(count)
NAME(count): .long 5

  ADDRESSES
  .p2align 3
table: .quad read_data, by_distances, calls, tail, vectors

  .data
  .globl NAME(written)
  .p2align 3
word: .quad later
NAME(written): .long 1
#ifdef __ELF__
  .section .note.GNU-stack,"",@progbits
#endif
#ifdef __APPLE__
  .subsections_via_symbols
#endif
