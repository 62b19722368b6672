/**
 * The machine code of adapters on AArch64. `x16` and `x17` pass no parameters and are nobody's between calls, and so
 * are `x9` and `d16`.
 */

import { type AdapterRegisters, AdapterWriter, type Memory } from "./adapter_writer.ts";
import { Aarch64Assembler } from "./aarch64_assembler.ts";
import type { CallPlan } from "./call_plan.ts";
import { type AdapterCode, type AdapterTarget, NAN_BITS, StringResult } from "./signature.ts";

const [X9, X16, X17, X29, SP] = [9, 16, 17, 29, 31];

/** The registers of {@linkcode AAPCS64}. A register has the same number as an integer and among the parameters. */
const REGISTERS: AdapterRegisters = {
  // x8 is that of {@linkcode Convention.resultAddress}.
  parameters: [0, 1, 2, 3, 4, 5, 6, 7, 8],
  results: [0, 1],
  stack: SP,
  frame: X29,
  base: X16,
  spare: X17,
};

/** Writes an adapter. */
export function writeAarch64Adapter(plan: CallPlan, target: AdapterTarget): AdapterCode {
  return new Aarch64Writer(new Aarch64Assembler(), REGISTERS, plan, target).write();
}

class Aarch64Writer extends AdapterWriter<Aarch64Assembler> {
  protected begin(frameBytes: number): void {
    this.code.put(0xa9bf_7bfd); // stp x29, x30, [sp, #-16]!
    this.code.put(0x9100_03fd); // mov x29, sp
    this.code.put(0xd100_03ff | frameBytes << 10); // sub sp, sp, #frameBytes
  }

  protected end(): void {
    this.code.put(0x9100_03bf); // mov sp, x29
    this.code.put(0xa8c1_7bfd); // ldp x29, x30, [sp], #16
    this.code.put(0xd65f_03c0); // ret
  }

  protected offsetToAddress(register: number): void {
    this.code.constant(X9, this.target.strings.in);
    this.code.put(0x8b00_0000 | register << 16 | X9 << 5 | X9); // add x9, x9, register
    this.code.put(0xf100_001f | register << 5); // cmp register, #0
    this.code.put(0x9a80_1000 | register << 16 | X9 << 5 | register); // csel register, x9, register, ne
  }

  protected append(register: number, memory: Memory, size: number): void {
    this.code.load(X17, memory, size);
    // orr x, x17, x, lsl #bits
    this.code.put(0xaa00_0000 | register << 16 | 8 * size << 10 | X17 << 5 | register);
  }

  protected stringResult(): void {
    const { code } = this;
    const { out, most } = this.target.strings;
    const isNull = code.jump(0xb400_0000); // cbz x0
    code.constant(X16, out);
    code.put(0xd280_0009); // mov x9, #0
    const loop = code.length;
    code.put(0x3860_6800 | X9 << 16 | X17); // ldrb w17, [x0, x9]
    const isEnd = code.jump(0x3400_0000 | X17); // cbz w17
    const isOther = code.jump(0x3738_0000 | X17); // tbnz w17, #7
    code.put(0x3820_6800 | X9 << 16 | X16 << 5 | X17); // strb w17, [x16, x9]
    code.put(0x9100_0529); // add x9, x9, #1
    code.put(0xf100_001f | most << 10 | X9 << 5); // cmp x9, #most
    code.put(0x5400_0003 | ((loop - code.length) & 0x7_ffff) << 5); // b.lo loop
    isOther();
    code.constant(X16, this.target.beyond);
    code.store(0, { base: X16, distance: 0 }, 8);
    code.put(0x1280_0000 | ~StringResult.ELSEWHERE << 5); // mov w0, #ELSEWHERE
    const end = code.jump(0x1400_0000); // b
    isNull();
    code.put(0x1280_0000 | ~StringResult.NULL << 5); // mov w0, #NULL
    const alsoEnd = code.jump(0x1400_0000);
    isEnd();
    code.put(0xaa09_03e0); // mov x0, x9
    end();
    alsoEnd();
  }

  protected numberResult(signed: boolean): void {
    const { code } = this;
    code.put(0xb240_d3e0 | X16); // mov x16, #2⁵³ − 1
    if (signed) {
      // Of −2⁵³ < x < 2⁵³, the sum with 2⁵³ − 1 is from 0 to twice that.
      code.put(0x8b10_0011); // add x17, x0, x16
      code.put(0xeb10_063f); // cmp x17, x16, lsl #1
    } else code.put(0xeb10_001f); // cmp x0, x16
    const isBeyond = code.jump(0x5400_0008); // b.hi
    code.put(0x9e62_0000); // scvtf d0, x0
    const end = code.jump(0x1400_0000); // b
    isBeyond();
    code.constant(X16, this.target.beyond);
    code.store(0, { base: X16, distance: 0 }, 8);
    code.constant(X16, NAN_BITS);
    code.put(0x9e67_0000 | X16 << 5); // fmov d0, x16
    end();
  }
}
