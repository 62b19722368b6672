/**
 * Mergeable sections (gABI, SHF_MERGE and SHF_STRINGS): their elements may be
 * dropped one by one when nothing refers to them, and equal ones become one.
 */
import { fnv1a } from "../smf/hash.ts";
import { SectionFlag } from "../os/elf.ts";
import type { InputSection } from "./input.ts";
import type { MergePieces } from "./merge_pieces.ts";

/** Whether a section can be taken apart. What cannot is linked as a whole, which is always right. */
export function isMergeable({ elf }: InputSection): boolean {
  const { MERGE, WRITE, EXECINSTR, TLS } = SectionFlag;
  // What a thread has of its own is part of one block, whose sections stay whole.
  if ((elf.flags & MERGE) === 0 || (elf.flags & (WRITE | EXECINSTR | TLS)) !== 0) return false;
  return elf.entrySize > 0 && elf.size > 0 && elf.size % elf.entrySize === 0 && elf.relaCount === 0;
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
    const hash = fnv1a(bytes, start, end) | 0;
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
