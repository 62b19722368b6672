/**
 * The machine code of adapters on x86-64, for both of its conventions. `rax`, `r10` and `r11` pass no parameters and
 * are nobody's between calls.
 */

import { type AdapterRegisters, AdapterWriter, type Memory } from "./adapter_writer.ts";
import type { CallPlan } from "./call_plan.ts";
import { type AdapterCode, type AdapterTarget, MOST_EXACT, NAN_BITS, StringResult } from "./signature.ts";
import { Register, X86Assembler } from "./x86_64_assembler.ts";

const { RAX, RCX, RDX, RSP, RBP, RSI, RDI, R8, R9, R10, R11 } = Register;

const COMMON = { results: [RAX, RDX], stack: RSP, frame: RBP, base: R11, spare: R10 } as const;
/** The registers of {@linkcode SYSV}. */
export const SYSV_REGISTERS: AdapterRegisters = { ...COMMON, parameters: [RDI, RSI, RDX, RCX, R8, R9] };
/** The registers of {@linkcode WIN64}. */
export const WIN64_REGISTERS: AdapterRegisters = { ...COMMON, parameters: [RCX, RDX, R8, R9] };

/** The instructions at the start of every adapter, up to the size of its frame: `push rbp; mov rbp, rsp; sub rsp, …` */
const PROLOGUE = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x81, 0xec];
/** `lea rsp, [rbp + 0]; pop rbp; ret`: an epilogue as the unwinder of Windows knows it. */
const EPILOGUE = [0x48, 0x8d, 0x65, 0x00, 0x5d, 0xc3];

/** Writes an adapter. */
export function writeX86Adapter(
  plan: CallPlan,
  target: AdapterTarget,
  registers: AdapterRegisters,
): AdapterCode {
  return new X86Writer(new X86Assembler(), registers, plan, target).write();
}

class X86Writer extends AdapterWriter<X86Assembler> {
  protected begin(frameBytes: number): void {
    this.code.raw(...PROLOGUE, frameBytes & 0xff, frameBytes >> 8, 0, 0);
  }

  protected end(): void {
    this.code.raw(...EPILOGUE);
  }

  /** Functions with a variable number of arguments look for the number of those in vector registers. */
  protected override beforeCall(floats: number): void {
    this.code.small(RAX, floats);
  }

  protected offsetToAddress(register: number): void {
    const { code } = this;
    code.constant(RAX, this.target.strings.in);
    code.combine("add", RAX, register);
    code.combine("test", register, register);
    code.moveIfNotZero(register, RAX);
  }

  protected append(register: number, memory: Memory, size: number): void {
    const { code } = this;
    code.shiftLeft(register, 8 * size);
    code.load(RAX, memory, size);
    code.combine("or", register, RAX);
  }

  protected numberResult(signed: boolean): void {
    const { code } = this;
    code.constant(R10, MOST_EXACT);
    if (signed) {
      // Of −2⁵³ < x < 2⁵³, the sum with 2⁵³ − 1 is from 0 to twice that.
      code.address(R11, { base: R10, distance: 0 });
      code.combine("add", R11, RAX);
      code.combine("add", R10, R10);
      code.combine("cmp", R11, R10);
    } else code.combine("cmp", RAX, R10);
    const isBeyond = code.jump("above");
    code.integerToDouble(0, RAX);
    const end = code.jump("always");
    isBeyond();
    code.constant(R10, this.target.beyond);
    code.store(RAX, { base: R10, distance: 0 }, 8);
    code.constant(RAX, NAN_BITS);
    code.moveToFloat(0, RAX);
    end();
  }

  protected stringResult(): void {
    const { code } = this;
    const { out, most } = this.target.strings;
    code.combine("test", RAX, RAX);
    const isNull = code.jump("zero");
    code.constant(R10, out);
    code.small(RCX, 0);
    const loop = code.length;
    code.loadIndexed(RDX, RAX, RCX);
    code.combine("test", RDX, RDX);
    const isEnd = code.jump("zero");
    code.compareSmall(RDX, 0x7f);
    const isOther = code.jump("above");
    code.storeIndexed(RDX, R10, RCX);
    code.raw(0xff, 0xc1); // inc ecx
    code.compareSmall(RCX, most);
    code.jumpBackIfBelow(loop);
    isOther();
    code.constant(R10, this.target.beyond);
    code.store(RAX, { base: R10, distance: 0 }, 8);
    code.small(RAX, StringResult.ELSEWHERE);
    const end = code.jump("always");
    isNull();
    code.small(RAX, StringResult.NULL);
    const alsoEnd = code.jump("always");
    isEnd();
    code.raw(0x89, 0xc8); // mov eax, ecx
    end();
    alsoEnd();
  }
}
