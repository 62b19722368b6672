/**
 * Mergeable sections (gABI, SHF_MERGE and SHF_STRINGS): elements that
 * nothing refers to are dropped one by one, and equal elements become one.
 */
import { fnv1a } from "../smf/hash.ts";
import { alignUp } from "../smf/offsets.ts";
import { SectionFlag, SectionType } from "../os/elf.ts";
import { grown } from "../types/growing.ts";
import type { InputSection } from "./input.ts";
import type { MergePieces } from "./merge_pieces.ts";

/** Whether a section can be taken apart. Any other section is linked whole, which is always correct. */
export function isMergeable({ elf }: InputSection): boolean {
  const { MERGE, WRITE, EXECINSTR, TLS } = SectionFlag;
  // The sections of the TLS block stay whole.
  if ((elf.flags & MERGE) === 0 || (elf.flags & (WRITE | EXECINSTR | TLS)) !== 0) return false;
  // Those without bytes in the file have nothing that could be compared.
  if (elf.type === SectionType.NOBITS) return false;
  return elf.entrySize > 0 && elf.size > 0 && elf.size % elf.entrySize === 0 && elf.relaCount === 0;
}

/** Returns the alignment that a piece has in its section, and keeps after merging. */
function pieceAlignment(sectionAlignment: number, start: number): number {
  return start === 0 ? sectionAlignment : Math.min(sectionAlignment, start & -start);
}

/** The most pieces of one hash that are compared: those made to collide are stored twice, not compared for hours. */
const MOST_COMPARED = 64;

/** The live pieces of one kind (entry size, strings or not), equal ones once. */
export class MergedSection {
  readonly entrySize: number;
  readonly strings: boolean;
  alignment = 1;
  size = 0;
  readonly #pieces: MergePieces[] = [];
  // The distinct pieces, as columns: a large library has a hundred thousand.
  #count = 0;
  /** The bytes in which each was seen first, and where. */
  readonly #sources: Uint8Array[] = [];
  #starts: Int32Array = new Int32Array(256);
  #ends: Int32Array = new Int32Array(256);
  #alignments: Int32Array = new Int32Array(256);
  /** The piece of the same hash that was seen before; -1 for none. */
  #before: Int32Array = new Int32Array(256);
  #offsets: Float64Array = new Float64Array(256);
  /** The piece of each hash that was seen last. */
  readonly #last: Map<number, number> = new Map();

  constructor(entrySize: number, strings: boolean) {
    this.entrySize = entrySize;
    this.strings = strings;
  }

  /** Adds the live pieces of a section. */
  add(section: Pick<InputSection, "elf" | "bytes">, pieces: MergePieces): void {
    const bytes = section.bytes(), { live, starts, hashes, offsets } = pieces;
    for (let i = 0; i < live.length; i++) {
      if (live[i] === 0) continue;
      const start = starts[i], end = starts[i + 1];
      const hash = hashes[i] ||= fnv1a(bytes, start, end) | 0;
      // The number of the piece, until that has its offset.
      offsets[i] = this.#enter(hash, bytes, start, end, pieceAlignment(section.elf.alignment, start));
    }
    this.#pieces.push(pieces);
  }

  /** Returns the number of the distinct piece that a piece is. */
  #enter(hash: number, bytes: Uint8Array, start: number, end: number, alignment: number): number {
    const last = this.#last.get(hash) ?? -1;
    for (
      let seen = last, compared = 0;
      seen !== -1 && compared++ < MOST_COMPARED;
      seen = this.#before[seen]
    ) {
      if (!this.#isEqual(seen, bytes, start, end)) continue;
      this.#alignments[seen] = Math.max(this.#alignments[seen], alignment);
      return seen;
    }
    const number = this.#count++;
    if (number === this.#starts.length) {
      this.#starts = grown(this.#starts);
      this.#ends = grown(this.#ends);
      this.#alignments = grown(this.#alignments);
      this.#before = grown(this.#before);
      this.#offsets = grown(this.#offsets);
    }
    this.#sources.push(bytes);
    this.#starts[number] = start;
    this.#ends[number] = end;
    this.#alignments[number] = alignment;
    this.#before[number] = last;
    this.#last.set(hash, number);
    return number;
  }

  #isEqual(seen: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#ends[seen] - this.#starts[seen] !== end - start) return false;
    const known = this.#sources[seen];
    for (let a = this.#starts[seen], b = start; b < end; a++, b++) if (known[a] !== bytes[b]) return false;
    return true;
  }

  /** Gives every piece its offset. Afterwards `size` and `alignment` are final. */
  place(): void {
    let at = 0;
    for (let number = 0; number < this.#count; number++) {
      at = alignUp(at, this.#alignments[number]);
      this.#offsets[number] = at;
      at += this.#ends[number] - this.#starts[number];
      this.alignment = Math.max(this.alignment, this.#alignments[number]);
    }
    this.size = at;
    for (const { live, offsets } of this.#pieces) {
      for (let i = 0; i < live.length; i++) if (live[i] !== 0) offsets[i] = this.#offsets[offsets[i]];
    }
  }

  /** Adds the offset of the merged section in its output section to every piece. */
  moveTo(offset: number): void {
    for (const { offsets } of this.#pieces) for (let i = 0; i < offsets.length; i++) offsets[i] += offset;
  }

  /** Copies every piece to its offset. */
  write(into: Uint8Array, offset: number): void {
    for (let number = 0; number < this.#count; number++) {
      const source = this.#sources[number];
      let at = offset + this.#offsets[number];
      for (let i = this.#starts[number]; i < this.#ends[number]; i++) into[at++] = source[i];
    }
  }
}
