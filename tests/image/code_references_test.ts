import { assert, assertEquals } from "@std/assert";
import { forEachReference } from "../../src/image/code_references.ts";
import { randomFrom } from "../support/testing.ts";

/** The target of the only reference in code at 4096, which is `…` for the distance to 8192. */
function targetsOf(...code: (number | "distance")[]): number[] {
  const at = code.indexOf("distance");
  const bytes = new Uint8Array(code.length + 3);
  bytes.set(code.slice(0, at) as number[]);
  bytes.set(code.slice(at + 1) as number[], at + 4);
  new DataView(bytes.buffer).setInt32(at, 8192 - (4096 + bytes.length), true);
  const targets: number[] = [];
  forEachReference({ offset: 4096, bytes }, 8192, 8200, (from, target) => {
    assertEquals(from, 4096 + at);
    targets.push(target);
  });
  return targets;
}

Deno.test("references are found behind prefixes, and with immediate operands of every size", () => {
  const d = "distance";
  const instructions: (number | "distance")[][] = [
    [0x8b, 0x05, d], // mov eax, [rip+d]
    [0x48, 0x8d, 0x3d, d], // lea rdi, [rip+d]
    [0xc7, 0x05, d, 1, 0, 0, 0], // mov dword [rip+d], 1
    [0x48, 0xc7, 0x05, d, 1, 0, 0, 0], // mov qword [rip+d], 1
    [0x66, 0xc7, 0x05, d, 1, 0], // mov word [rip+d], 1
    [0xc6, 0x05, d, 1], // mov byte [rip+d], 1
    [0x83, 0x05, d, 1], // add dword [rip+d], 1
    [0x81, 0x3d, d, 1, 2, 3, 0], // cmp dword [rip+d], 0x30201
    [0x66, 0x81, 0x3d, d, 1, 2], // cmp word [rip+d], 0x201
    [0xf6, 0x05, d, 1], // test byte [rip+d], 1
    [0xf7, 0x05, d, 1, 0, 0, 0], // test dword [rip+d], 1
    [0xf7, 0x1d, d], // neg dword [rip+d]
    [0x69, 0x05, d, 9, 0, 0, 0], // imul eax, [rip+d], 9
    [0x6b, 0x05, d, 9], // imul eax, [rip+d], 9
    [0xf0, 0x0f, 0xc1, 0x05, d], // lock xadd [rip+d], eax
    [0x0f, 0xb6, 0x05, d], // movzx eax, byte [rip+d]
    [0x0f, 0xba, 0x25, d, 3], // bt dword [rip+d], 3
    [0x0f, 0xc6, 0x05, d, 3], // shufps xmm0, [rip+d], 3
    [0x66, 0x0f, 0x38, 0x00, 0x05, d], // pshufb xmm0, [rip+d]
    [0x66, 0x0f, 0x3a, 0x0f, 0x05, d, 3], // palignr xmm0, [rip+d], 3
    [0xc5, 0xfa, 0x10, 0x05, d], // vmovss xmm0, [rip+d]
    [0xc4, 0xe3, 0x79, 0x0f, 0x05, d, 3], // vpalignr xmm0, xmm0, [rip+d], 3
    [0x62, 0xf1, 0x7c, 0x48, 0x10, 0x05, d], // vmovups zmm0, [rip+d]
  ];
  // Something stands in front of each instruction, as in real code.
  for (const code of instructions) {
    assertEquals(targetsOf(0x90, 0x90, 0x90, 0x90, ...code), [8192], `${code}`);
  }
});

Deno.test("other bytes are not references", () => {
  assertEquals(targetsOf(0x90, 0x90, 0x8b, 0x04, "distance"), []);
  assertEquals(targetsOf(0x90, 0x90, 0x8b, 0x45, "distance"), []);
});

Deno.test("a reference is found wherever it is among other code", () => {
  for (let start = 0; start < 5; start++) {
    for (let size = 7; size < 40; size++) {
      for (let at = 0; at + 7 <= size; at++) {
        const bytes = new Uint8Array(64).fill(0x90).subarray(start, start + size);
        bytes.set([0x48, 0x8d, 0x05], at); // lea rax, [rip-7]
        new DataView(bytes.buffer, start).setInt32(at + 3, -7, true);
        const found: number[][] = [];
        forEachReference({ offset: 0, bytes }, 0, size, (...each) => void found.push(each));
        assertEquals(found, [[at + 3, at]], `${size} bytes from ${start}`);
      }
    }
  }
});

Deno.test("the same references are found wherever the bytes lie in memory", () => {
  const random = randomFrom(5);
  const [first, end] = [1000, 5000];
  for (let round = 0; round < 50; round++) {
    const size = 64 + random() % 200;
    const code = Uint8Array.from({ length: size }, () => random() % 256);
    // Many bytes that are followed by a distance, some of them near.
    for (let at = 0; at + 5 < size; at += 1 + random() % 6) {
      code[at] = (code[at] & ~0xc7) | 5;
      if (random() % 2 === 0) code.set([code[at + 1], random() % 20, 0, 0], at + 1);
    }
    const foundAt = (start: number): [from: number, target: number][] => {
      const bytes = new Uint8Array(start + size).subarray(start), found: [number, number][] = [];
      bytes.set(code);
      forEachReference({ offset: 64, bytes }, first, end, (from, target) => found.push([from, target]));
      return found;
    };
    const expected = foundAt(0);
    for (let start = 1; start < 5; start++) assertEquals(foundAt(start), expected);
    for (const [, target] of expected) assert(target >= first && target <= end);
  }
});
