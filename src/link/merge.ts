/**
 * Mergeable sections (gABI, SHF_MERGE and SHF_STRINGS): their elements may be
 * dropped one by one when nothing refers to them, and equal ones become one.
 */
import { SectionFlag } from "./elf_constants.ts";
import type { InputSection } from "./input.ts";

/** Whether a section can be taken apart. What cannot is linked as a whole, which is always right. */
export function isMergeable({ elf }: InputSection): boolean {
  const { MERGE, WRITE, EXECINSTR, TLS } = SectionFlag;
  // What a thread has of its own is part of one block, whose sections stay whole.
  if ((elf.flags & MERGE) === 0 || (elf.flags & (WRITE | EXECINSTR | TLS)) !== 0) return false;
  return elf.entrySize > 0 && elf.size > 0 && elf.size % elf.entrySize === 0 && elf.relaCount === 0;
}

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
  static of(section: InputSection): MergePieces | undefined {
    const { entrySize, size, flags } = section.elf;
    const bytes = section.bytes();
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

/** A piece's alignment: what its section promised for just this place. */
function pieceAlignment(sectionAlignment: number, start: number): number {
  return start === 0 ? sectionAlignment : Math.min(sectionAlignment, start & -start);
}

/** Where a piece that has been seen before can be found again. */
interface Seen {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  alignment: number;
  place: number;
  readonly next: Seen | undefined;
}

/** All live pieces of one kind (entry size, strings or not), each once. */
export class MergedSection {
  readonly entrySize: number;
  readonly strings: boolean;
  alignment = 1;
  size = 0;
  readonly #seen: Map<number, Seen> = new Map();
  readonly #order: Seen[] = [];
  readonly #pieces: { pieces: MergePieces; seen: (Seen | undefined)[] }[] = [];

  constructor(entrySize: number, strings: boolean) {
    this.entrySize = entrySize;
    this.strings = strings;
  }

  /** Takes in the live pieces of a section. */
  add(section: InputSection, pieces: MergePieces): void {
    const bytes = section.bytes();
    const seen: (Seen | undefined)[] = new Array(pieces.live.length);
    for (let i = 0; i < pieces.live.length; i++) {
      if (pieces.live[i] === 0) continue;
      const start = pieces.starts[i];
      seen[i] = this.#enter(bytes, start, pieces.starts[i + 1], pieceAlignment(section.elf.alignment, start));
    }
    this.#pieces.push({ pieces, seen });
  }

  #enter(bytes: Uint8Array, start: number, end: number, alignment: number): Seen {
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
    const first = this.#seen.get(hash);
    // A chain is cut after a while: what collides on purpose is stored twice, not compared for hours.
    let compared = 0;
    for (let seen = first; seen !== undefined && compared++ < 64; seen = seen.next) {
      if (!sameBytes(seen, bytes, start, end)) continue;
      seen.alignment = Math.max(seen.alignment, alignment);
      return seen;
    }
    const seen: Seen = { bytes, start, end, alignment, place: 0, next: first };
    this.#seen.set(hash, seen);
    this.#order.push(seen);
    return seen;
  }

  /** Gives every piece its place. After this `size` and `alignment` are final. */
  place(): void {
    let at = 0;
    for (const seen of this.#order) {
      at = Math.ceil(at / seen.alignment) * seen.alignment;
      seen.place = at;
      at += seen.end - seen.start;
      this.alignment = Math.max(this.alignment, seen.alignment);
    }
    this.size = at;
    for (const { pieces, seen } of this.#pieces) {
      seen.forEach((one, i) => {
        if (one !== undefined) pieces.places[i] = one.place;
      });
    }
  }

  /** Moves every place by where the merged section lies in its output section. */
  moveTo(offset: number): void {
    for (const { pieces } of this.#pieces) {
      for (let i = 0; i < pieces.places.length; i++) pieces.places[i] += offset;
    }
  }

  /** Copies every piece to its place. */
  write(into: Uint8Array, offset: number): void {
    for (const { bytes, start, end, place } of this.#order) {
      into.set(bytes.subarray(start, end), offset + place);
    }
  }
}

function sameBytes(seen: Seen, bytes: Uint8Array, start: number, end: number): boolean {
  if (seen.end - seen.start !== end - start) return false;
  for (let a = seen.start, b = start; b < end; a++, b++) if (seen.bytes[a] !== bytes[b]) return false;
  return true;
}
