/**
 * Relocations that the loader applies, as columns: a large library has tens of thousands.
 */
import { grown } from "../types/growing.ts";

/** The symbol of a relocation, as a number: the symbols of the SMF file have no index yet. */
export const Target = {
  /** An exported or imported name, by name number. */
  global: (id: number): number => id,
  /** The start of an output section, by the section's index. */
  section: (index: number): number => -1 - index,
  /** A symbol that exists only to have a GOT slot, by its index in `gotSymbols`. */
  got: (index: number): number => GOT_BASE + index,
  /** The start of a home, by its number. */
  home: (number: number): number => HOME_BASE + number,
  /** A function that has an entry and is not exported, by its number. */
  entry: (index: number): number => ENTRY_BASE + index,
} as const;

/** Greater than every name number. */
export const GOT_BASE = 2 ** 29;

/** Greater than every target of a GOT slot. */
export const HOME_BASE = 2 ** 30;

/** Greater than every target in a home. */
export const ENTRY_BASE = 2 ** 30 + 2 ** 29;

/** A growing table of relocations. */
export class DynamicRelocations {
  length = 0;
  offsets: Float64Array = new Float64Array(1024);
  targets: Int32Array = new Int32Array(1024);
  types: Uint8Array = new Uint8Array(1024);
  addends: Float64Array = new Float64Array(1024);
  /** Addends beyond 2^53, by row: those of tagged pointers. */
  readonly large: Map<number, bigint> = new Map();

  /** Returns the rows by offset: a loader then goes through memory once, and sees overlaps in passing. */
  byOffset(): Uint32Array {
    const { offsets } = this;
    return new Uint32Array(this.length).map((_, index) => index).sort((a, b) => offsets[a] - offsets[b]);
  }

  /** Adds a row whose addend a number cannot hold; it wraps at 64 bits. */
  addLarge(offset: number, target: number, type: number, addend: bigint): void {
    this.large.set(this.length, BigInt.asIntN(64, addend));
    this.add(offset, target, type, 0);
  }

  add(offset: number, target: number, type: number, addend: number): void {
    const i = this.length++;
    if (i === this.offsets.length) {
      this.offsets = grown(this.offsets);
      this.targets = grown(this.targets);
      this.types = grown(this.types);
      this.addends = grown(this.addends);
    }
    this.offsets[i] = offset;
    this.targets[i] = target;
    this.types[i] = type;
    this.addends[i] = addend;
  }
}
