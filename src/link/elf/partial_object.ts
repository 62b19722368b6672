/**
 * Objects in files that are read in parts: which bytes are loaded, and which sections are remembered.
 */
import { SectionFlag, SectionType } from "../../os/elf.ts";
import type { PartialBytes } from "../partial_input.ts";
import type { ElfSection } from "./symbols.ts";

/** Whether most links do nothing with a section's bytes but copy them; they are loaded only when they are asked for. */
export function isCopiedOnly({ name, type, flags, size }: ElfSection): boolean {
  const { ALLOC, MERGE } = SectionFlag;
  return type === SectionType.PROGBITS && (flags & (ALLOC | MERGE)) === ALLOC && size > 0 &&
    name !== ".eh_frame";
}

/**
 * Forgets the sections that are relocation tables and groups, of which everything has been read. They are more than half
 * of the sections of a library in C++.
 *
 * @param signatures The indexes of sections whose names are still wanted.
 */
export function forgetTables(sections: ElfSection[], signatures: ReadonlySet<number>): void {
  const { ALLOC } = SectionFlag;
  for (const { index, type, flags, info } of [...sections]) {
    // What a damaged file says to be in memory is judged with the other sections there.
    if (((flags | sections[0].flags) & ALLOC) !== 0) continue;
    const isRead = type === SectionType.GROUP && !signatures.has(index) ||
      type === SectionType.RELA && (sections[info].flags & ALLOC) !== 0;
    if (isRead) sections[index] = sections[0];
  }
}

/** Loads everything but the bytes that are only copied, and the tables of sections, which are read by now. */
export function loadKept(partial: PartialBytes, sections: readonly ElfSection[]): void {
  const names = sections.find(({ type }) => type === SectionType.SYMTAB)?.link;
  let start = 0, end = 0;
  for (const section of sections) {
    const { index, type, offset, size } = section;
    if (type === SectionType.NOBITS || size === 0 || isCopiedOnly(section)) continue;
    // The names of sections have been read.
    if (type === SectionType.STRTAB && index !== names) continue;
    // Sections lie one behind the other, with gaps for their alignment.
    if (offset < end || offset > end + GAP) {
      partial.load(start, end);
      start = offset;
    }
    end = offset + size;
  }
  partial.load(start, end);
}

/** The most bytes between two sections that are loaded along with them. */
const GAP = 64;
