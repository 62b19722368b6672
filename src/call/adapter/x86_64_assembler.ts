/**
 * Writes the few instructions of x86-64 that adapters need (Intel SDM, volume 2). Memory is always a base register
 * and a distance of 32 bits.
 */

import type { Assembler, Memory } from "./adapter_writer.ts";

/** Registers by their numbers in instructions. */
export const Register = {
  RAX: 0,
  RCX: 1,
  RDX: 2,
  RSP: 4,
  RBP: 5,
  RSI: 6,
  RDI: 7,
  R8: 8,
  R9: 9,
  R10: 10,
  R11: 11,
} as const;

/** Collects the bytes of instructions. */
export class X86Assembler implements Assembler {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  raw(...bytes: number[]): void {
    this.#bytes.push(...bytes);
  }

  /** An instruction of a register and a place in memory. */
  #memory(
    prefix: number | undefined,
    opcode: number[],
    wide: boolean,
    register: number,
    memory: Memory,
  ): void {
    const { base, distance } = memory;
    if (prefix !== undefined) this.raw(prefix);
    const rex = 0x40 | (wide ? 8 : 0) | (register >> 3 << 2) | (base >> 3);
    // Without the prefix, the bytes of registers 4 to 7 are those of others; it changes nothing else.
    this.raw(rex, ...opcode, 0x80 | (register & 7) << 3 | (base & 7));
    if ((base & 7) === Register.RSP) this.raw(0x24);
    this.#number(BigInt(distance), 4);
  }

  /** An instruction of two registers. */
  #registers(prefix: number | undefined, opcode: number[], register: number, other: number): void {
    if (prefix !== undefined) this.raw(prefix);
    this.raw(0x48 | (register >> 3 << 2) | (other >> 3), ...opcode, 0xc0 | (register & 7) << 3 | (other & 7));
  }

  #number(value: bigint, size: number): void {
    for (let index = 0; index < size; index++) this.raw(Number(value >> BigInt(8 * index) & 0xffn));
  }

  /** `mov register, [memory]`, of 1, 2, 4 or 8 bytes; the rest becomes 0. */
  load(register: number, memory: Memory, size: number): void {
    const opcode = size >= 4 ? [0x8b] : [0x0f, size === 2 ? 0xb7 : 0xb6];
    this.#memory(undefined, opcode, size === 8, register, memory);
  }

  /** `mov [memory], register`, of 1, 2, 4 or 8 bytes. */
  store(register: number, memory: Memory, size: number): void {
    this.#memory(size === 2 ? 0x66 : undefined, [size === 1 ? 0x88 : 0x89], size === 8, register, memory);
  }

  /** `lea register, [memory]` */
  address(register: number, memory: Memory): void {
    this.#memory(undefined, [0x8d], true, register, memory);
  }

  /** `movsd` or `movss xmm, [memory]`, of 8 or 4 bytes. */
  loadFloat(register: number, memory: Memory, size: number): void {
    this.#memory(size === 8 ? 0xf2 : 0xf3, [0x0f, 0x10], false, register, memory);
  }

  /** `movsd` or `movss [memory], xmm`, of 8 or 4 bytes. */
  storeFloat(register: number, memory: Memory, size: number): void {
    this.#memory(size === 8 ? 0xf2 : 0xf3, [0x0f, 0x11], false, register, memory);
  }

  /** `cvttsd2si register, [memory]` */
  doubleToInteger(register: number, memory: Memory): void {
    this.#memory(0xf2, [0x0f, 0x2c], true, register, memory);
  }

  /** `pxor xmm, xmm; cvtsi2sd xmm, register`: the conversion alone would wait for the register's old value. */
  integerToDouble(xmm: number, register: number): void {
    this.raw(0x66, 0x0f, 0xef, 0xc0 | xmm << 3 | xmm);
    this.#registers(0xf2, [0x0f, 0x2a], xmm, register);
  }

  /** `movq xmm, register` */
  moveToFloat(xmm: number, register: number): void {
    this.#registers(0x66, [0x0f, 0x6e], xmm, register);
  }

  /** `mov register, value` */
  constant(register: number, value: bigint): void {
    this.raw(0x48 | (register >> 3), 0xb8 | (register & 7));
    this.#number(value, 8);
  }

  /** `mov register, value`, of 32 bits; the rest becomes 0. */
  small(register: number, value: number): void {
    if (register >> 3 !== 0) this.raw(0x41);
    this.raw(0xb8 | (register & 7));
    this.#number(BigInt(value), 4);
  }

  /** `add`, `or`, `cmp` or `test register, other` */
  combine(operation: "add" | "or" | "cmp" | "test", register: number, other: number): void {
    this.#registers(undefined, [{ add: 0x01, or: 0x09, cmp: 0x39, test: 0x85 }[operation]], other, register);
  }

  /** `cmp register, value`, of 32 bits; one of the first eight registers. */
  compareSmall(register: number, value: number): void {
    this.raw(0x81, 0xf8 | register);
    this.#number(BigInt(value), 4);
  }

  /** `cmovnz register, other` */
  moveIfNotZero(register: number, other: number): void {
    this.#registers(undefined, [0x0f, 0x45], register, other);
  }

  /** `movzx register, byte [base + index]` */
  loadIndexed(register: number, base: number, index: number): void {
    this.#indexed([0x0f, 0xb6], register, base, index);
  }

  /** `mov byte [base + index], register` */
  storeIndexed(register: number, base: number, index: number): void {
    this.#indexed([0x88], register, base, index);
  }

  /** An instruction of a byte; the base is not rbp or r13, which need a distance. */
  #indexed(opcode: number[], register: number, base: number, index: number): void {
    this.raw(0x40 | (register >> 3 << 2) | (index >> 3 << 1) | (base >> 3), ...opcode);
    this.raw(0x04 | (register & 7) << 3, (index & 7) << 3 | (base & 7));
  }

  /** `jb place`, backward, of 8 bits. */
  jumpBackIfBelow(place: number): void {
    this.raw(0x72, place - (this.length + 2) & 0xff);
  }

  /** `shl register, bits` */
  shiftLeft(register: number, bits: number): void {
    this.#shift(4, register, bits);
  }

  /** `shr register, bits` */
  shiftRight(register: number, bits: number): void {
    this.#shift(5, register, bits);
  }

  /** A shift, by the number of its operation. */
  #shift(operation: number, register: number, bits: number): void {
    this.raw(0x48 | (register >> 3), 0xc1, 0xc0 | operation << 3 | (register & 7), bits);
  }

  /** `call register`, one of the last eight. */
  call(register: number): void {
    this.raw(0x41, 0xff, 0xd0 | (register & 7));
  }

  /** A jump forward, of 8 bits; call the result where it leads. */
  jump(condition: "above" | "zero" | "always"): () => void {
    this.raw({ above: 0x77, zero: 0x74, always: 0xeb }[condition], 0);
    const end = this.length;
    return () => void (this.#bytes[end - 1] = this.length - end);
  }
}
