/**
 * Takes mergeable sections (gABI, SHF_MERGE and SHF_STRINGS) apart into their elements.
 */
import { SectionFlag } from "../os/elf.ts";
import type { ElfSection } from "./elf/symbols.ts";

/** The elements of one mergeable section. */
export class MergePieces {
  readonly entrySize: number;
  readonly strings: boolean;
  /** The offsets at which pieces start in their section, and the end of the last one. */
  readonly starts: Uint32Array;
  readonly live: Uint8Array;
  /** The offsets of live pieces in the output section; set when they are merged. */
  readonly offsets: Float64Array;

  private constructor(entrySize: number, strings: boolean, starts: Uint32Array) {
    this.entrySize = entrySize;
    this.strings = strings;
    this.starts = starts;
    this.live = new Uint8Array(starts.length - 1);
    this.offsets = new Float64Array(starts.length - 1);
  }

  /** Takes a section apart; returns undefined if it is not a table of elements after all. */
  static of({ entrySize, size, flags }: ElfSection, bytes: Uint8Array): MergePieces | undefined {
    if ((flags & SectionFlag.STRINGS) === 0) {
      const starts = new Uint32Array(size / entrySize + 1);
      for (let i = 0; i < starts.length; i++) starts[i] = i * entrySize;
      return new MergePieces(entrySize, false, starts);
    }
    const starts = [0];
    for (let at = 0; at < size; at += entrySize) {
      let zero = true;
      for (let i = at; i < at + entrySize; i++) if (bytes[i] !== 0) zero = false;
      if (zero) starts.push(at + entrySize);
    }
    // The last string has no NUL, so this is not a section of strings.
    if (starts[starts.length - 1] !== size) return undefined;
    return new MergePieces(entrySize, true, Uint32Array.from(starts));
  }

  /** Returns the piece that holds the byte at `offset`; -1 outside. */
  find(offset: number): number {
    const { starts } = this;
    if (offset < 0 || offset >= starts[starts.length - 1]) return -1;
    let low = 0;
    let high = starts.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
