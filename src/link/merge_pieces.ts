/**
 * The elements of mergeable sections (gABI, SHF_MERGE and SHF_STRINGS), before equal ones become one.
 */
import { SectionFlag } from "../os/elf.ts";
import type { ElfSection } from "./elf/symbols.ts";

/** The elements of one mergeable section. */
export class MergePieces {
  readonly entrySize: number;
  readonly strings: boolean;
  /** Where each piece begins in the section; one more entry for the end. */
  readonly starts: Uint32Array;
  readonly live: Uint8Array;
  /** Where each live piece went in the output section. */
  readonly places: Float64Array;

  private constructor(entrySize: number, strings: boolean, starts: Uint32Array) {
    this.entrySize = entrySize;
    this.strings = strings;
    this.starts = starts;
    this.live = new Uint8Array(starts.length - 1);
    this.places = new Float64Array(starts.length - 1);
  }

  /** Takes a section apart, or answers undefined if it turns out not to be one of pieces. */
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
    // The last string has no end: not a section of strings after all.
    if (starts[starts.length - 1] !== size) return undefined;
    return new MergePieces(entrySize, true, Uint32Array.from(starts));
  }

  /** The piece that holds the byte at `offset`; -1 outside. */
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
