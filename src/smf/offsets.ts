/**
 * The file's own image, in which symbol values, the entry point and relocation
 * offsets are offsets. Code comes first, packed by virtual size regardless of
 * alignment; then read-only data, data and zeroed data, each group from a 4096
 * boundary and each section at its alignment.
 */

import { SectionType } from "./enums.ts";

/** The fields of a section that {@linkcode imageOffsets} needs. */
export interface SectionExtent {
  /** A {@linkcode SectionType}. */
  readonly type: number;
  /** Size in memory, in bytes. */
  readonly virtualSize: number;
  /** A power of two, at least 1. */
  readonly alignment: number;
}

/** The sections of one kind, which are adjacent and share a protection. */
export interface SectionGroup {
  /** The kind of its sections. */
  readonly kind: "code" | "rodata" | "data" | "bss";
  /** The image offset where it starts: 0 or a multiple of 4096. */
  readonly start: number;
  /** The image offset where its last section ends. */
  readonly end: number;
  /** The largest alignment among its sections, at least 1. */
  readonly alignment: number;
}

/** The offsets of a file's sections in its own image. */
export interface ImageOffsets {
  /** The offset of each section, in table order; `undefined` for sections that are not part of the image. */
  readonly offsets: readonly (number | undefined)[];
  /** The size of the image: where its last group ends. */
  readonly end: number;
  /** The groups that have at least one section, in image order. */
  readonly groups: readonly SectionGroup[];
}

/** Groups start at multiples of this. The loader moves groups apart where the host has larger pages. */
export const IMAGE_PAGE = 4096;

const GROUPS = [
  ["code", SectionType.Code],
  ["rodata", SectionType.RoData],
  ["data", SectionType.Data],
  ["bss", SectionType.Bss],
] as const;

/** Whether sections of this type are part of the image. */
export function isLoaded(type: number): boolean {
  return type >= SectionType.Code && type <= SectionType.Bss;
}

/** Rounds up to a multiple of `alignment`, a power of two; exact above 32 bits too. */
export function alignUp(value: number, alignment: number): number {
  const over = value % alignment;
  return over === 0 ? value : value + (alignment - over);
}

/** Places sections in the file's own image. Pure arithmetic, without any check. */
export function imageOffsets(sections: readonly SectionExtent[]): ImageOffsets {
  const offsets: (number | undefined)[] = new Array(sections.length).fill(undefined);
  const groups: SectionGroup[] = [];
  let end = 0;
  for (const [kind, type] of GROUPS) {
    const start = alignUp(end, IMAGE_PAGE);
    let at = start;
    let alignment = 0;
    for (let i = 0; i < sections.length; i++) {
      const section = sections[i];
      if (section.type !== type) continue;
      if (kind !== "code") at = alignUp(at, section.alignment);
      offsets[i] = at;
      at += section.virtualSize;
      alignment = Math.max(alignment, section.alignment);
    }
    if (alignment === 0) continue;
    groups.push({ kind, start, end: at, alignment });
    end = at;
  }
  return { offsets, end, groups };
}
