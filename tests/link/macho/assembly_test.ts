// Assembly for macOS: directives that compilers seldom use.
import { assertEquals } from "@std/assert";
import { linkObjects, ModuleRegistry } from "../../../mod.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const SOURCE = `
  .section __TEXT,__text,regular,pure_instructions
  .p2align 4
  .globl _count_down
_count_down:                      # adds the numbers from its argument down to 1
  xorl %eax, %eax
Lagain:
  testl %edi, %edi
  je Ldone
  .globl _add_one_more
  .alt_entry _add_one_more
_add_one_more:
  addl %edi, %eax
  decl %edi
  jmp Lagain
Ldone:
  ret
  .globl _never_used
_never_used:
  callq _missing_function
  ret
  .globl _sum_of_vector
_sum_of_vector:                   # an operand of 16 bytes, which must be aligned
  movdqa Lvector(%rip), %xmm0
  paddd l_other(%rip), %xmm0
  movd %xmm0, %eax
  ret
  .globl _choose
_choose:                          # a table of distances from itself
  leaq _table(%rip), %rax
  movslq (%rax,%rdi,4), %rcx
  addq %rcx, %rax
  movl (%rax), %eax
  ret
  .globl _through_pointer
_through_pointer:
  movq _pointer(%rip), %rax
  movl -4(%rax), %eax
  ret
  .globl _set_immediates
_set_immediates:                  # operands behind the distances to variables
  movb $5, _zeroed(%rip)
  movw $0x102, _zeroed+4(%rip)
  movl $0x10203, _zeroed+8(%rip)
  cmpb $0, _local_zeroed(%rip)
  movl _zeroed(%rip), %eax
  addl _zeroed+4(%rip), %eax
  addl _zeroed+8(%rip), %eax
  ret
  .globl _call_weak
_call_weak:
  subq $8, %rsp
  callq *_weak_function@GOTPCREL(%rip)
  addq $8, %rsp
  ret
  .globl _weak_function
  .weak_definition _weak_function
_weak_function:
  movl $77, %eax
  ret
  .globl _is_missing
_is_missing:
  xorl %eax, %eax
  cmpq $0, _missing_weak@GOTPCREL(%rip)
  sete %al
  ret
  .weak_reference _missing_weak

  .section __TEXT,__const
  .p2align 4
_small:
  .quad 1
  .p2align 4
Lvector:
  .long 40, 0, 0, 0
_table:
  .long _values - _table
  .long _values + 4 - _table
  .p2align 4
l_other:
  .long 2, 0, 0, 0
_values:
  .long 11
  .long 22

  .section __DATA,__data
  .p2align 3
_pointer:
  .quad _array + 12
_array:
  .long 1, 2, 3, 4
  .zerofill __DATA,__bss,_zeroed,12,4
  .lcomm _local_zeroed,4,2
  .subsections_via_symbols
`;

const NOTHING = { parameters: [], result: "i32" } as const;
const I32 = { parameters: ["i32"], result: "i32" } as const;

testWithCompilers(["clang-14"], "assembly for macOS works as a module for Linux", async (folder) => {
  Deno.writeTextFileSync(`${folder}/a.s`, SOURCE);
  await compile("clang-14", ["--target=x86_64-apple-macos11", "-c", "a.s", "-o", "a.o"], folder);
  const input = { name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) };
  const { bytes, map } = linkObjects([input], { platform: Platform.Linux, hide: ["never_used"] });
  assertEquals(map.imports.map(({ name }) => name), ["missing_weak"], "what is not used needs nothing");
  using directory = new TemporaryDirectory();
  using registry = new ModuleRegistry();
  const { symbols } = registry.load(directory.file("assembly.smf", bytes)).bind({
    count_down: I32,
    sum_of_vector: NOTHING,
    choose: { parameters: ["i64"], result: "i32" },
    through_pointer: NOTHING,
    set_immediates: NOTHING,
    call_weak: NOTHING,
    is_missing: NOTHING,
  });
  assertEquals(symbols.count_down(4), 10);
  assertEquals(symbols.sum_of_vector(), 42);
  assertEquals([symbols.choose(0n), symbols.choose(1n)], [11, 22]);
  assertEquals(symbols.through_pointer(), 3);
  assertEquals(symbols.set_immediates(), 5 + 0x102 + 0x10203);
  assertEquals([symbols.call_weak(), symbols.is_missing()], [77, 1]);
});
