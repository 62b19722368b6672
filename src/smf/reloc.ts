/**
 * Relocations: all Reloc sections of a file behind one another, read by
 * accessors that allocate nothing.
 */

import { LoadError } from "../errors.ts";
import { RELOCATION_FIELDS, RELOCATION_SIZE } from "./layout.ts";
import { ByteReader } from "./reader.ts";
import { sectionLabel, type SmfSection } from "./section.ts";

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

const { offset: [OFFSET], symbol_index: [SYMBOL], reloc_type: [TYPE], addend: [ADDEND] } = RELOCATION_FIELDS;

/** The relocations of a file, in the order of the sections that hold them. */
export class RelocationTable implements Iterable<SmfRelocation> {
  /** How many there are. */
  readonly length: number;
  #reader: ByteReader;
  #parts: readonly Part[];

  /**
   * Checks that every relocation names a symbol that exists.
   *
   * @param sections The Reloc sections.
   * @param bytes Their contents, behind one another.
   * @param symbolCount How many symbols the file has.
   */
  constructor(sections: readonly SmfSection[], bytes: Uint8Array, symbolCount: number) {
    this.length = bytes.length / RELOCATION_SIZE;
    this.#reader = new ByteReader(bytes);
    const parts: Part[] = [];
    let first = 0;
    for (const section of sections) {
      parts.push({ section, first });
      first += (section.compressed ? section.virtualSize : section.size) / RELOCATION_SIZE;
    }
    this.#parts = parts;
    for (let i = 0; i < this.length; i++) {
      if (this.symbol(i) >= symbolCount) {
        throw this.#refuse(i, SYMBOL, "its symbol does not exist", this.symbol(i), [0, symbolCount]);
      }
      if (this.#reader.u32(i * RELOCATION_SIZE + OFFSET + 4) >= 0x20_0000) {
        const value = this.#reader.bigU64(i * RELOCATION_SIZE + OFFSET);
        throw this.#refuse(i, OFFSET, "its offset is above 2^53 - 1", value, [0, 2 ** 53]);
      }
    }
  }

  /** The place to patch: an offset in the file's own image. */
  offset(index: number): number {
    return this.#reader.u64(index * RELOCATION_SIZE + OFFSET);
  }

  /** The symbol's place in the symbol table. */
  symbol(index: number): number {
    return this.#reader.u32(index * RELOCATION_SIZE + SYMBOL);
  }

  /** A {@linkcode RelocationType}. One byte: what follows it is padding. */
  type(index: number): number {
    return this.#reader.u8(index * RELOCATION_SIZE + TYPE);
  }

  /** The addend's low 32 bits, unsigned. */
  addendLow(index: number): number {
    return this.#reader.u32(index * RELOCATION_SIZE + ADDEND);
  }

  /** The addend's high 32 bits, signed. */
  addendHigh(index: number): number {
    return this.#reader.i32(index * RELOCATION_SIZE + ADDEND + 4);
  }

  /** The addend. Allocates; loops take the halves. */
  addend(index: number): bigint {
    return this.#reader.bigI64(index * RELOCATION_SIZE + ADDEND);
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
    const at = (index - first) * RELOCATION_SIZE + field;
    return new LoadError("InvalidFormat", `Cannot use relocation ${index}: ${reason}`, {
      section: sectionLabel(section),
      // Inside compressed bytes there is no place in the file to point at.
      offset: section.compressed ? section.offset : section.offset + at,
      value,
      range,
    });
  }
}
