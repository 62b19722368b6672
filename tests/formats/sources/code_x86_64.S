/*
 * Assembly for x86-64 in ELF, COFF and Mach-O: references of every kind between code and data, local labels, an
 * alignment, and unwind information by hand. The macros say what differs between the formats.
 */
#ifdef __APPLE__
#define NAME(name) _##name
#define CONSTANTS .section __TEXT,__const
#define ADDRESSES .section __DATA,__const
#elif defined _WIN32
#define NAME(name) name
#define CONSTANTS .section .rdata,"dr"
#define ADDRESSES .section .rdata,"dr"
#else
#define NAME(name) name
#define CONSTANTS .section .rodata,"a",@progbits
#define ADDRESSES .section .data.rel.ro,"aw",@progbits
#endif
/* The first argument as the system passes it, and the bytes that a caller leaves for a function's own use. */
#ifdef _WIN32
#define FIRST %ecx
#define FRAME 40
#else
#define FIRST %edi
#define FRAME 8
#endif

  .text
  .globl NAME(questions)
  .p2align 4
NAME(questions):
  mov NAME(count)(%rip), %eax
  ret

  /* int64_t answer(int32_t question): jumps by a table of addresses. */
  .globl NAME(answer)
  .p2align 4
NAME(answer):
  .cfi_startproc
  sub $FRAME, %rsp
  .cfi_adjust_cfa_offset FRAME
  mov FIRST, %eax
  lea table(%rip), %r11
  call *(%r11,%rax,8)
  add $FRAME, %rsp
  .cfi_adjust_cfa_offset -FRAME
  ret
  .cfi_endproc

  /* A distance from the next instruction, with bytes of the instruction behind it. */
read_data:
  movl $77, NAME(written)(%rip)
  cmpb $9, bytes+2(%rip)
  jne 1f
  movslq NAME(written)(%rip), %rax
  ret
1:
  mov $-1, %rax
  ret

  /* A jump by distances in constants, as compilers write them. */
by_distances:
  lea distances(%rip), %r10
  movslq 8(%r10), %rax
  add %r10, %rax
  jmp *%rax
2: mov $20, %eax
  ret
3: mov $30, %eax
  ret
4: mov $40, %eax
  ret

  /* Calls forward and backward, and of a name that another object may define. */
calls:
  sub $FRAME, %rsp
  call later
  mov %rax, %r8
  call NAME(replaceable)
  add %r8, %rax
  add $FRAME, %rsp
  ret
later:
  mov $5000, %eax
  ret

#ifdef __APPLE__
  .globl NAME(replaceable)
  .weak_definition NAME(replaceable)
#elif defined _WIN32
  /* GNU's assembler for COFF adds the place of a weak name in its own section to each distance from it. */
  .globl replaceable
#else
  .weak replaceable
#endif
NAME(replaceable):
  mov $6, %eax
  ret

  /* The address of a function through a word of data, called from the end of another. */
tail:
  jmp *word(%rip)

  /* Vectors with constants that must be aligned. */
vectors:
  movaps fours(%rip), %xmm0
  mulps twos(%rip), %xmm0
  cvttss2si %xmm0, %eax
  cltq
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
