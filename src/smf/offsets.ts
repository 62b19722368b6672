/**
 * A file's own image: what symbol values, the entry point and relocation
 * offsets are offsets in. Code comes first, packed by virtual size without
 * regard to alignment; then read-only data, data and zeroed data, each kind
 * from a 4096 boundary and each section at its alignment.
 */

import { SectionType } from "./enums.ts";

/** What {@linkcode imageOffsets} needs to know of a section. */
export interface SectionExtent {
  /** A {@linkcode SectionType}. */
  readonly type: number;
  /** Bytes in memory. */
  readonly virtualSize: number;
  /** A power of two, at least 1. */
  readonly alignment: number;
}

/** The sections of one kind, which lie together and are protected together. */
export interface SectionGroup {
  /** Which kind. */
  readonly kind: "code" | "rodata" | "data" | "bss";
  /** Where it starts in the image: 0 or a multiple of 4096. */
  readonly start: number;
  /** Where it ends: the end of its last section. */
  readonly end: number;
  /** The largest alignment among its sections, at least 1. */
  readonly alignment: number;
}

/** The places of a file's sections in its own image. */
export interface ImageOffsets {
  /** Of each section, in table order; `undefined` for what is not part of the image. */
  readonly offsets: readonly (number | undefined)[];
  /** Where the image ends. */
  readonly end: number;
  /** The groups that have at least one section, in image order. */
  readonly groups: readonly SectionGroup[];
}

/** The image's unit between groups; larger host pages are the loader's affair. */
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

/** The next multiple of `alignment`, a power of two; exact above 32 bits too. */
export function alignUp(value: number, alignment: number): number {
  const over = value % alignment;
  return over === 0 ? value : value + (alignment - over);
}

/** Places sections in the file's own image. Pure arithmetic; checks nothing. */
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
