/**
 * Takes mergeable sections (gABI, SHF_MERGE and SHF_STRINGS) apart into their elements.
 */
import { SectionFlag } from "../os/elf.ts";
import type { ElfSection } from "./elf/symbols.ts";

/** The facts about a section that no link changes. */
interface Cuts {
  /** The offsets at which pieces start in their section, and the end of the last one. */
  readonly starts: Uint32Array;
  /** The hashes of pieces; 0 before one is computed. */
  readonly hashes: Int32Array;
}

/** The cuts of sections; undefined for one that is not a table of elements. */
const known = new WeakMap<ElfSection, Cuts | undefined>();

/** The elements of one mergeable section. */
export class MergePieces implements Cuts {
  readonly entrySize: number;
  readonly strings: boolean;
  readonly starts: Uint32Array;
  readonly hashes: Int32Array;
  readonly live: Uint8Array;
  /** The offsets of live pieces in the output section; set when they are merged. */
  readonly offsets: Float64Array;

  private constructor(entrySize: number, strings: boolean, { starts, hashes }: Cuts) {
    this.entrySize = entrySize;
    this.strings = strings;
    this.starts = starts;
    this.hashes = hashes;
    this.live = new Uint8Array(hashes.length);
    this.offsets = new Float64Array(hashes.length);
  }

  /**
   * Takes a section apart; returns undefined if it is not a table of elements after all.
   *
   * @param size The size of its plain bytes, if they are compressed in the file.
   */
  static of(elf: ElfSection, bytes: Uint8Array, size: number = elf.size): MergePieces | undefined {
    const strings = (elf.flags & SectionFlag.STRINGS) !== 0;
    if (!known.has(elf)) known.set(elf, cut(bytes, size, elf.entrySize, strings));
    const cuts = known.get(elf);
    return cuts === undefined ? undefined : new MergePieces(elf.entrySize, strings, cuts);
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

function cut(bytes: Uint8Array, size: number, entrySize: number, strings: boolean): Cuts | undefined {
  if (!strings) {
    const starts = new Uint32Array(size / entrySize + 1);
    for (let i = 0; i < starts.length; i++) starts[i] = i * entrySize;
    return { starts, hashes: new Int32Array(starts.length - 1) };
  }
  const starts = [0];
  for (let at = 0; at < size; at += entrySize) {
    let zero = true;
    for (let i = at; i < at + entrySize; i++) if (bytes[i] !== 0) zero = false;
    if (zero) starts.push(at + entrySize);
  }
  // The last string has no NUL, so this is not a section of strings.
  if (starts[starts.length - 1] !== size) return undefined;
  return { starts: Uint32Array.from(starts), hashes: new Int32Array(starts.length - 1) };
}
