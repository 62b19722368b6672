/**
 * Mergeable sections (gABI, SHF_MERGE and SHF_STRINGS): elements that
 * nothing refers to are dropped one by one, and equal elements become one.
 */
import { fnv1a } from "../smf/hash.ts";
import { alignUp } from "../smf/offsets.ts";
import { SectionFlag } from "../os/elf.ts";
import type { InputSection } from "./input.ts";
import type { MergePieces } from "./merge_pieces.ts";

/** Whether a section can be taken apart. Any other section is linked whole, which is always correct. */
export function isMergeable({ elf }: InputSection): boolean {
  const { MERGE, WRITE, EXECINSTR, TLS } = SectionFlag;
  // The sections of the TLS block stay whole.
  if ((elf.flags & MERGE) === 0 || (elf.flags & (WRITE | EXECINSTR | TLS)) !== 0) return false;
  return elf.entrySize > 0 && elf.size > 0 && elf.size % elf.entrySize === 0 && elf.relaCount === 0;
}

/** Returns the alignment that a piece has in its section, and keeps after merging. */
function pieceAlignment(sectionAlignment: number, start: number): number {
  return start === 0 ? sectionAlignment : Math.min(sectionAlignment, start & -start);
}

/** A distinct piece: where it was seen first, and where it goes. */
interface Seen {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  alignment: number;
  offset: number;
  readonly next: Seen | undefined;
}

/** The live pieces of one kind (entry size, strings or not), equal ones once. */
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

  /** Adds the live pieces of a section. */
  add(section: Pick<InputSection, "elf" | "bytes">, pieces: MergePieces): void {
    const bytes = section.bytes();
    const seen: (Seen | undefined)[] = new Array(pieces.live.length);
    for (let i = 0; i < pieces.live.length; i++) {
      if (pieces.live[i] === 0) continue;
      const start = pieces.starts[i], end = pieces.starts[i + 1];
      const hash = pieces.hashes[i] ||= fnv1a(bytes, start, end) | 0;
      seen[i] = this.#enter(hash, bytes, start, end, pieceAlignment(section.elf.alignment, start));
    }
    this.#pieces.push({ pieces, seen });
  }

  #enter(hash: number, bytes: Uint8Array, start: number, end: number, alignment: number): Seen {
    const first = this.#seen.get(hash);
    // A chain is searched only so far: pieces made to collide are stored twice, not compared for hours.
    let compared = 0;
    for (let seen = first; seen !== undefined && compared++ < 64; seen = seen.next) {
      if (!sameBytes(seen, bytes, start, end)) continue;
      seen.alignment = Math.max(seen.alignment, alignment);
      return seen;
    }
    const seen: Seen = { bytes, start, end, alignment, offset: 0, next: first };
    this.#seen.set(hash, seen);
    this.#order.push(seen);
    return seen;
  }

  /** Gives every piece its offset. Afterwards `size` and `alignment` are final. */
  place(): void {
    let at = 0;
    for (const seen of this.#order) {
      at = alignUp(at, seen.alignment);
      seen.offset = at;
      at += seen.end - seen.start;
      this.alignment = Math.max(this.alignment, seen.alignment);
    }
    this.size = at;
    for (const { pieces, seen } of this.#pieces) {
      seen.forEach((one, i) => {
        if (one !== undefined) pieces.offsets[i] = one.offset;
      });
    }
  }

  /** Adds the offset of the merged section in its output section to every piece. */
  moveTo(offset: number): void {
    for (const { pieces } of this.#pieces) {
      for (let i = 0; i < pieces.offsets.length; i++) pieces.offsets[i] += offset;
    }
  }

  /** Copies every piece to its offset. */
  write(into: Uint8Array, offset: number): void {
    for (const { bytes, start, end, offset: inSection } of this.#order) {
      into.set(bytes.subarray(start, end), offset + inSection);
    }
  }
}

function sameBytes(seen: Seen, bytes: Uint8Array, start: number, end: number): boolean {
  if (seen.end - seen.start !== end - start) return false;
  for (let a = seen.start, b = start; b < end; a++, b++) if (seen.bytes[a] !== bytes[b]) return false;
  return true;
}
