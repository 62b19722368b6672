// The lengths and the parts of instructions. The bytes are those that GNU as makes of the text.
import { assertEquals } from "@std/assert";
import { readInstruction } from "../../../src/link/arch/x86_64_instruction.ts";

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.split(" "), (digits) => parseInt(digits, 16));
}

/** Instructions of every encoding. */
const INSTRUCTIONS: readonly (readonly [text: string, hex: string])[] = [
  ["nop", "90"],
  ["ret $8", "c2 08 00"],
  ["enter $16,$0", "c8 10 00 00"],
  ["push $-1", "6a ff"],
  ["push $0x12345678", "68 78 56 34 12"],
  ["push %r12", "41 54"],
  ["mov $1,%al", "b0 01"],
  ["mov $1,%ax", "66 b8 01 00"],
  ["mov $1,%eax", "b8 01 00 00 00"],
  ["mov $1,%r9d", "41 b9 01 00 00 00"],
  ["movabs $1,%rax", "48 b8 01 00 00 00 00 00 00 00"],
  ["movabs 0x1,%eax", "a1 01 00 00 00 00 00 00 00"],
  ["addr32 mov 0x1,%eax", "67 a1 01 00 00 00"],
  ["mov (%rax),%rcx", "48 8b 08"],
  ["mov 0x8(%rbp),%rcx", "48 8b 4d 08"],
  ["mov 0x12345678(%rbp),%rcx", "48 8b 8d 78 56 34 12"],
  ["mov 0x8(%rsp),%rcx", "48 8b 4c 24 08"],
  ["mov (%r12),%rcx", "49 8b 0c 24"],
  ["mov 0x0(%rip),%rcx", "48 8b 0d 00 00 00 00"],
  ["mov 0x12345678,%rcx", "48 8b 0c 25 78 56 34 12"],
  ["mov 0x12345678(,%r9,8),%rcx", "4a 8b 0c cd 78 56 34 12"],
  ["movb $1,(%rax)", "c6 00 01"],
  ["movw $1,(%rax)", "66 c7 00 01 00"],
  ["movq $1,0x8(%rsp)", "48 c7 44 24 08 01 00 00 00"],
  ["cmp $0x12345678,%rax", "48 3d 78 56 34 12"],
  ["cmpq $0x12345678,0x0(%rip)", "48 81 3d 00 00 00 00 78 56 34 12"],
  ["imul $0x12345678,(%rax),%ecx", "69 08 78 56 34 12"],
  ["test $1,%cl", "f6 c1 01"],
  ["test $1,%ecx", "f7 c1 01 00 00 00"],
  ["not %ecx", "f7 d1"],
  ["shl $3,%eax", "c1 e0 03"],
  ["fadds (%rax)", "d8 00"],
  ["loop .", "e2 fe"],
  ["jne .+0x106", "0f 85 00 01 00 00"],
  ["call .+5", "e8 00 00 00 00"],
  ["data16 rex.W call .+8", "66 48 e8 00 00 00 00"],
  ["jmp *0x0(,%rax,8)", "ff 24 c5 00 00 00 00"],
  ["endbr64", "f3 0f 1e fa"],
  ["lock xadd %eax,(%rcx)", "f0 0f c1 01"],
  ["nopw %cs:0x0(%rax,%rax,1)", "66 2e 0f 1f 84 00 00 00 00 00"],
  ["bt $3,%eax", "0f ba e0 03"],
  ["movss (%rax),%xmm9", "f3 44 0f 10 08"],
  ["pshufd $1,%xmm0,%xmm1", "66 0f 70 c8 01"],
  ["pshufb %xmm0,%xmm1", "66 0f 38 00 c8"],
  ["palignr $1,%xmm0,%xmm1", "66 0f 3a 0f c8 01"],
  ["vzeroupper", "c5 f8 77"],
  ["vaddps (%rax),%ymm0,%ymm1", "c5 fc 58 08"],
  ["vpshufd $1,%xmm0,%xmm1", "c5 f9 70 c8 01"],
  ["vpermq $1,%ymm0,%ymm1", "c4 e3 fd 00 c8 01"],
  ["vfmadd213ps 0x8(%rsp),%xmm0,%xmm1", "c4 e2 79 a8 4c 24 08"],
  ["vmovdqu64 0x40(%rax),%zmm1", "62 f1 fe 48 6f 48 01"],
  ["vpternlogd $1,%zmm0,%zmm1,%zmm2", "62 f3 75 48 25 d0 01"],
  ["syscall", "0f 05"],
  ["cpuid", "0f a2"],
  ["bswap %r9", "49 0f c9"],
];

Deno.test("an instruction ends where the next one begins", () => {
  for (const [text, hex] of INSTRUCTIONS) {
    const bytes = bytesOf(hex);
    const around = Uint8Array.of(0x90, ...bytes, 0x90, 0x90);
    assertEquals(readInstruction(around, 1, around.length)?.end, 1 + bytes.length, text);
    assertEquals(readInstruction(bytes, 0, bytes.length - 1), undefined, `${text}, cut off`);
  }
});

Deno.test("the parts of an instruction are where they are", () => {
  // movq $0x2, 0x1(%rip)
  const store = readInstruction(bytesOf("48 c7 05 01 00 00 00 02 00 00 00"), 0, 11)!;
  assertEquals(store, {
    ...{ start: 0, end: 11, isNarrow: false, rex: 0x48, map: 0, opcode: 0xc7, opcodeAt: 1 },
    ...{ modrm: 2, immediate: 7 },
  });
  // movd %xmm0, 0x1(%rsp)
  const vector = readInstruction(bytesOf("66 0f 7e 44 24 01"), 0, 6)!;
  assertEquals([vector.isNarrow, vector.rex, vector.map, vector.opcode], [true, 0, 1, 0x7e]);
  assertEquals([vector.opcodeAt, vector.modrm, vector.immediate], [2, 3, 6]);
  assertEquals(readInstruction(bytesOf("c5 f8 77"), 0, 3)?.map, -1);
});

Deno.test("opcodes that 64-bit mode does not have are not read", () => {
  for (
    const hex of ["06", "27", "60", "82 c0 01", "d4 0a", "d6", "9a 00 00 00 00 00 00", "8f e8 78 c2 ec 0e"]
  ) {
    assertEquals(
      readInstruction(bytesOf(`${hex} 90 90 90 90`), 0, hex.split(" ").length + 4),
      undefined,
      hex,
    );
  }
});
