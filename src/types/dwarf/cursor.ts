/**
 * Reads numbers of a section in order. Reading past the end is an error of the section's bytes.
 */
import { damaged } from "../damaged.ts";
import { type Integer, integer } from "../integer.ts";
import type { DwarfSection, Relocations } from "./sections.ts";

/** The most bytes of LEB128 whose number is exact as it is. */
const EXACT_BYTES = 7;

/** A position in bytes. */
export class Cursor {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
  readonly #relocations: Relocations | undefined;

  constructor(bytes: Uint8Array, at = 0, relocations?: Relocations) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.#relocations = relocations;
  }

  /** Starts at an offset of a section. */
  static in({ bytes, relocations }: DwarfSection, at = 0): Cursor {
    return new Cursor(bytes, at, relocations);
  }

  /** Passes `count` bytes; returns where they start. */
  take(count: number): number {
    const start = this.at;
    if (!(start >= 0 && start + count <= this.bytes.length)) {
      throw damaged("a record passes the end of its section");
    }
    this.at = start + count;
    return start;
  }

  u8(): number {
    return this.bytes[this.take(1)];
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u24(): number {
    const at = this.take(3);
    return this.view.getUint16(at, true) | (this.bytes[at + 2] << 16);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  /** Reads 64 bits; a number above 2^53 is rounded. */
  u64(): number {
    const at = this.take(8);
    return this.view.getUint32(at + 4, true) * 0x100000000 + this.view.getUint32(at, true);
  }

  /** Reads an offset in another section, of 4 bytes. */
  offset(): number {
    const at = this.take(4);
    return this.#relocations?.word(at) ?? this.view.getUint32(at, true);
  }

  /** Reads an address, of 8 bytes, that is only compared with those that are looked for. */
  address(): number {
    const relocated = this.#relocations?.address(this.at);
    const value = this.u64();
    return relocated ?? value;
  }

  /** Reads an address as a number. */
  addressValue(): number {
    const relocated = this.#relocations?.word(this.at);
    const value = this.u64();
    return relocated ?? value;
  }

  /** Reads ULEB128; a number above 2^53 is rounded. */
  uleb(): number {
    // Almost all numbers have one byte; behind the last byte there is none to compare.
    const byte = this.bytes[this.at];
    if (byte < 0x80) {
      this.at++;
      return byte;
    }
    return this.#longUleb();
  }

  #longUleb(): number {
    let value = 0;
    for (let factor = 1;; factor *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      if (factor > 2 ** 63) throw damaged("a number has too many bytes");
    }
  }

  /** Reads ULEB128 exactly. */
  exactUleb(): Integer {
    const start = this.at;
    const value = this.uleb();
    return this.at - start <= EXACT_BYTES ? value : integer(this.#leb(start));
  }

  /** Reads SLEB128 exactly. */
  sleb(): Integer {
    const start = this.at;
    const value = this.uleb();
    const count = this.at - start;
    if (count > EXACT_BYTES) return integer(BigInt.asIntN(7 * count, this.#leb(start)));
    const isNegative = (this.bytes[this.at - 1] & 0x40) !== 0;
    return isNegative ? value - 2 ** (7 * count) : value;
  }

  /** Puts together the bits of the LEB128 that ends where the cursor is. */
  #leb(start: number): bigint {
    let value = 0n;
    for (let at = this.at - 1; at >= start; at--) value = value << 7n | BigInt(this.bytes[at] & 0x7f);
    return value;
  }

  /** Passes a text that ends with NUL; returns where it starts. */
  text(): number {
    const start = this.at;
    const end = this.bytes.indexOf(0, start);
    if (end === -1) throw damaged("a text has no end");
    this.at = end + 1;
    return start;
  }
}
