/**
 * Writes the few instructions of AArch64 that adapters need (Arm ARM, C6 and C7). Distances in memory are not negative,
 * and multiples of the size of the access.
 */

import type { Assembler, Memory } from "./adapter_writer.ts";

/** The register in which a double is converted. */
const D16 = 16;
/** `b`, whose distance begins at the lowest bit; that of other branches is at bit 5. */
const B = 0x1400_0000;

/** The size of an access as loads and stores encode it, by its bytes. */
const SIZE_BITS: Readonly<Record<number, number>> = { 1: 0, 2: 1, 4: 2, 8: 3 };
/** The bits that make a load `ldr` and a store `str`, and those of floating-point registers. */
const LOAD = 0x3940_0000, STORE = 0x3900_0000, FLOAT = 1 << 26;

/** Collects instructions. */
export class Aarch64Assembler implements Assembler {
  readonly #words: number[] = [];

  /** The number of instructions. */
  get length(): number {
    return this.#words.length;
  }

  get bytes(): Uint8Array {
    const bytes = new Uint8Array(4 * this.#words.length);
    const view = new DataView(bytes.buffer);
    this.#words.forEach((word, index) => view.setUint32(4 * index, word, true));
    return bytes;
  }

  put(word: number): void {
    this.#words.push(word >>> 0);
  }

  /** `ldr`, `ldrh` or `ldrb` */
  load(register: number, memory: Memory, size: number): void {
    this.#access(LOAD, register, memory, size);
  }

  /** `str`, `strh` or `strb` */
  store(register: number, memory: Memory, size: number): void {
    this.#access(STORE, register, memory, size);
  }

  /** `ldr d` or `ldr s` */
  loadFloat(register: number, memory: Memory, size: number): void {
    this.#access(LOAD | FLOAT, register, memory, size);
  }

  /** `str d` or `str s` */
  storeFloat(register: number, memory: Memory, size: number): void {
    this.#access(STORE | FLOAT, register, memory, size);
  }

  #access(opcode: number, register: number, { base, distance }: Memory, size: number): void {
    this.put(opcode | SIZE_BITS[size] << 30 | (distance / size) << 10 | base << 5 | register);
  }

  /** `movz` and `movk`, for all parts that are not 0. */
  constant(register: number, value: bigint): void {
    this.put(0xd280_0000 | Number(value & 0xffffn) << 5 | register);
    for (let part = 1; part < 4; part++) {
      const bits = Number(value >> BigInt(16 * part) & 0xffffn);
      if (bits !== 0) this.put(0xf280_0000 | part << 21 | bits << 5 | register);
    }
  }

  small(register: number, value: number): void {
    this.constant(register, BigInt(value));
  }

  /** `add register, base, #distance` */
  address(register: number, { base, distance }: Memory): void {
    this.put(0x9100_0000 | distance << 10 | base << 5 | register);
  }

  /** `ldr d16, [memory]; fcvtzs register, d16` */
  doubleToInteger(register: number, memory: Memory): void {
    this.loadFloat(D16, memory, 8);
    this.put(0x9e78_0000 | D16 << 5 | register);
  }

  /** `lsr register, register, #bits` */
  shiftRight(register: number, bits: number): void {
    this.put(0xd340_fc00 | bits << 16 | register << 5 | register);
  }

  /** `blr register` */
  call(register: number): void {
    this.put(0xd63f_0000 | register << 5);
  }

  /** A branch forward; call the result where it leads. */
  jump(word: number): () => void {
    const from = this.length;
    this.put(word);
    const shift = word === B ? 0 : 5;
    return () => void (this.#words[from] = (this.#words[from] | (this.length - from) << shift) >>> 0);
  }
}
