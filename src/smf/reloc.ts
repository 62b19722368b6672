/**
 * The relocations of all Reloc sections of a file, concatenated, with accessors
 * that do not allocate.
 */

import { LoadError, raise, type Report } from "../errors/load_error.ts";
import { RELOCATION_FIELDS, RELOCATION_SIZE } from "./layout.ts";
import { littleEndianWords } from "./reader.ts";
import { contentLength, sectionLabel, type SmfSection } from "./section.ts";

/** A relocation, as an object. */
export interface SmfRelocation {
  /** The place to patch, an offset in the file's own image. */
  readonly offset: number;
  /** The index of its symbol in the symbol table. */
  readonly symbol: number;
  /** A {@linkcode RelocationType}. */
  readonly type: number;
  /** The addend, A in the formulas. */
  readonly addend: bigint;
}

/** The part of the table that comes from one Reloc section. */
interface Part {
  readonly section: SmfSection;
  /** The index of its first relocation. */
  readonly first: number;
}

/** The offsets of a record's fields in 32-bit words; fields of eight bytes have two, low half first. */
export const RELOCATION_WORDS = {
  offset: RELOCATION_FIELDS.offset[0] / 4,
  symbol: RELOCATION_FIELDS.symbol_index[0] / 4,
  /** The lowest byte is the type, the other three are padding. */
  type: RELOCATION_FIELDS.reloc_type[0] / 4,
  addend: RELOCATION_FIELDS.addend[0] / 4,
  /** The distance from one record to the next. */
  step: RELOCATION_SIZE / 4,
} as const;
const { offset: OFFSET, symbol: SYMBOL, type: TYPE, addend: ADDEND, step: STEP } = RELOCATION_WORDS;

/** The high word of 2^53. */
const UNSAFE_HIGH = 0x20_0000;

/** The relocations of a file, in the order of the sections that hold them. */
export class RelocationTable implements Iterable<SmfRelocation> {
  /** The number of relocations. */
  readonly length: number;
  /** The records as words, for loops over many; {@linkcode RELOCATION_WORDS} has the offsets. */
  readonly words: Uint32Array;
  readonly #parts: readonly Part[];

  /**
   * Checks that every relocation's symbol exists and its offset is at most 2^53 - 1.
   *
   * @param sections The Reloc sections.
   * @param bytes Their contents, concatenated.
   * @param symbolCount The number of symbols in the file.
   * @param report Called with each problem.
   */
  constructor(
    sections: readonly SmfSection[],
    bytes: Uint8Array,
    symbolCount: number,
    report: Report = raise,
  ) {
    this.length = bytes.length / RELOCATION_SIZE;
    const words = littleEndianWords(bytes);
    this.words = words;
    const parts: Part[] = [];
    let first = 0;
    for (const section of sections) {
      parts.push({ section, first });
      first += contentLength(section) / RELOCATION_SIZE;
    }
    this.#parts = parts;
    for (let at = 0; at < words.length; at += STEP) {
      if (words[at + SYMBOL] < symbolCount && words[at + OFFSET + 1] < UNSAFE_HIGH) continue;
      const index = at / STEP;
      if (words[at + SYMBOL] >= symbolCount) {
        report(
          this.#refuse(index, SYMBOL, "its symbol does not exist", this.symbol(index), [0, symbolCount]),
        );
      }
      if (words[at + OFFSET + 1] >= UNSAFE_HIGH) {
        const value = BigInt(words[at + OFFSET + 1]) << 32n | BigInt(words[at + OFFSET]);
        report(this.#refuse(index, OFFSET, "its offset is above 2^53 - 1", value, [0, 2 ** 53]));
      }
    }
  }

  /** A relocation's place to patch, an offset in the file's own image. */
  offset(index: number): number {
    const at = index * STEP + OFFSET;
    return this.words[at + 1] * 0x1_0000_0000 + this.words[at];
  }

  /** The index of a relocation's symbol in the symbol table. */
  symbol(index: number): number {
    return this.words[index * STEP + SYMBOL];
  }

  /** A relocation's {@linkcode RelocationType}: one byte, which padding follows. */
  type(index: number): number {
    return this.words[index * STEP + TYPE] & 0xff;
  }

  /** The low 32 bits of a relocation's addend, unsigned. */
  addendLow(index: number): number {
    return this.words[index * STEP + ADDEND];
  }

  /** The high 32 bits of a relocation's addend, signed. */
  addendHigh(index: number): number {
    return this.words[index * STEP + ADDEND + 1] | 0;
  }

  /** A relocation's addend. Allocates; loops use the halves. */
  addend(index: number): bigint {
    return BigInt(this.addendHigh(index)) << 32n | BigInt(this.addendLow(index));
  }

  /** The name of the Reloc section that has a relocation, for errors. */
  sectionName(index: number): string {
    return sectionLabel(this.#part(index).section);
  }

  /** Returns a relocation as an object. */
  at(index: number): SmfRelocation {
    return {
      offset: this.offset(index),
      symbol: this.symbol(index),
      type: this.type(index),
      addend: this.addend(index),
    };
  }

  /** Iterates over all relocations, as objects. */
  *[Symbol.iterator](): Iterator<SmfRelocation> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  #part(index: number): Part {
    let found = this.#parts[0];
    for (const part of this.#parts) if (part.first <= index) found = part;
    return found;
  }

  #refuse(
    index: number,
    field: number,
    reason: string,
    value: bigint | number,
    range: readonly [number, number],
  ): LoadError {
    const { section, first } = this.#part(index);
    const at = (index - first) * RELOCATION_SIZE + 4 * field;
    return new LoadError("InvalidFormat", `Cannot use relocation ${index}: ${reason}`, {
      section: sectionLabel(section),
      // A record inside compressed bytes has no file offset of its own.
      offset: section.compressed ? section.offset : section.offset + at,
      value,
      range,
    });
  }
}
