/**
 * Relocations: all Reloc sections of a file behind one another, read by
 * accessors that allocate nothing.
 */

import { LoadError, raise, type Report } from "../errors.ts";
import { RELOCATION_FIELDS, RELOCATION_SIZE } from "./layout.ts";
import { littleEndianWords } from "./reader.ts";
import { contentLength, sectionLabel, type SmfSection } from "./section.ts";

/** A relocation, as an object of its own. */
export interface SmfRelocation {
  /** The place to patch: an offset in the file's own image. */
  readonly offset: number;
  /** The symbol's place in the symbol table. */
  readonly symbol: number;
  /** A {@linkcode RelocationType}. */
  readonly type: number;
  /** A, in the formulas. */
  readonly addend: bigint;
}

/** A Reloc section within the table. */
interface Part {
  readonly section: SmfSection;
  /** Its first relocation. */
  readonly first: number;
}

/** Where the fields of a record are, in words; those of eight bytes have two, low half first. */
export const RELOCATION_WORDS = {
  offset: RELOCATION_FIELDS.offset[0] / 4,
  symbol: RELOCATION_FIELDS.symbol_index[0] / 4,
  /** Its lowest byte is the type; what follows is padding. */
  type: RELOCATION_FIELDS.reloc_type[0] / 4,
  addend: RELOCATION_FIELDS.addend[0] / 4,
  /** From one record to the next. */
  step: RELOCATION_SIZE / 4,
} as const;
const { offset: OFFSET, symbol: SYMBOL, type: TYPE, addend: ADDEND, step: STEP } = RELOCATION_WORDS;

/** The high half of 2^53. */
const UNSAFE_HIGH = 0x20_0000;

/** The relocations of a file, in the order of the sections that hold them. */
export class RelocationTable implements Iterable<SmfRelocation> {
  /** How many there are. */
  readonly length: number;
  /** The records, for loops over many; {@linkcode RELOCATION_WORDS} says what is where. */
  readonly words: Uint32Array;
  readonly #parts: readonly Part[];

  /**
   * Checks that every relocation names a symbol that exists.
   *
   * @param sections The Reloc sections.
   * @param bytes Their contents, behind one another.
   * @param symbolCount How many symbols the file has.
   * @param report Told what is wrong with a relocation.
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

  /** The place to patch: an offset in the file's own image. */
  offset(index: number): number {
    const at = index * STEP + OFFSET;
    return this.words[at + 1] * 0x1_0000_0000 + this.words[at];
  }

  /** The symbol's place in the symbol table. */
  symbol(index: number): number {
    return this.words[index * STEP + SYMBOL];
  }

  /** A {@linkcode RelocationType}. One byte: what follows it is padding. */
  type(index: number): number {
    return this.words[index * STEP + TYPE] & 0xff;
  }

  /** The addend's low 32 bits, unsigned. */
  addendLow(index: number): number {
    return this.words[index * STEP + ADDEND];
  }

  /** The addend's high 32 bits, signed. */
  addendHigh(index: number): number {
    return this.words[index * STEP + ADDEND + 1] | 0;
  }

  /** The addend. Allocates; loops take the halves. */
  addend(index: number): bigint {
    return BigInt(this.addendHigh(index)) << 32n | BigInt(this.addendLow(index));
  }

  /** The name of the section that a relocation stands in, for errors. */
  sectionName(index: number): string {
    return sectionLabel(this.#part(index).section);
  }

  /** A relocation as an object. */
  at(index: number): SmfRelocation {
    return {
      offset: this.offset(index),
      symbol: this.symbol(index),
      type: this.type(index),
      addend: this.addend(index),
    };
  }

  /** All relocations, as objects. */
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
      // Inside compressed bytes there is no place in the file to point at.
      offset: section.compressed ? section.offset : section.offset + at,
      value,
      range,
    });
  }
}
