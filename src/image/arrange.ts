/**
 * Arranges the groups of a file's image, its GOT and its PLT in one reserved
 * range: pure arithmetic.
 *
 * Each region has pages of its own, of the host's size, for which the groups
 * move apart as far as necessary:
 *
 * ```text
 * code | plt        read, execute
 * rodata | got      read
 * data | bss        read, write
 * ```
 *
 * Code with {@linkcode HeaderFlag.FixedLayout} relies on the distances of the
 * file's own image, where groups begin at multiples of 4096. Such an image moves
 * as a whole. GOT and PLT take the rest of the last page of the group with their
 * protection, or pages in front of everything:
 *
 * ```text
 * got | plt code | rodata | data bss
 * ```
 */

import { trimmed } from "../os/lazy_collections.ts";
import { alignUp, IMAGE_PAGE, type SectionGroup } from "../smf/offsets.ts";

/** Bytes of one Global Offset Table slot: an address. */
export const GOT_SLOT_SIZE = 8;
/** Bytes of one Procedure Linkage Table stub, padding included. */
export const PLT_STUB_SIZE = 16;

/** A part of the range that has one protection: whole pages. */
export interface Region {
  /** Bytes from the range's start. */
  readonly offset: number;
  /** In bytes; 0 if nothing needs this protection. */
  readonly length: number;
}

/** Whether a region contains the byte at an offset from the range's start. */
export function isInside(region: Region, offset: number): boolean {
  return offset >= region.offset && offset < region.offset + region.length;
}

/** The sections of one kind, one after another. */
export interface PlacedGroup {
  /** The first offset in the file's own image. */
  readonly start: number;
  /** The offset behind the last byte. */
  readonly end: number;
  readonly isCode: boolean;
  /** The difference between an offset in the range and the one in the file's image. */
  readonly delta: number;
}

/** The GOT slots and PLT stubs to reserve beside the sections. */
export interface SlotCounts {
  readonly got: number;
  readonly plt: number;
}

/** The arrangement of one range. */
export interface Arrangement {
  /** The size of the whole range in bytes: a multiple of the page size, at least one page. */
  readonly size: number;
  /** Required address alignment of the range: a power of two, at least the page size. */
  readonly alignment: number;
  /** Read and execute. */
  readonly code: Region;
  /** Read only. */
  readonly rodata: Region;
  /** Read and write. */
  readonly data: Region;
  /** Read only, with the GOT: pages of its own, or those of `rodata`. */
  readonly gotRegion: Region;
  /** The first PLT stub, as an offset in the range. */
  readonly plt: number;
  /** The first GOT slot, as an offset in the range. */
  readonly got: number;
  /** The groups, in the order of the file's image. */
  readonly groups: readonly PlacedGroup[];
}

/** Arranges a range in which every region has pages of its own. */
export function arrange(
  groups: readonly SectionGroup[],
  pageSize: number,
  slots: SlotCounts,
): Arrangement {
  const placed: PlacedGroup[] = [];
  let cursor = 0;
  let alignment = pageSize;
  const placeGroup = (kind: string): void => {
    const group = groups.find((candidate) => candidate.kind === kind);
    if (group === undefined) return;
    if (group.end === group.start) {
      // An empty group takes no bytes, but a symbol may mark its start.
      placed.push(moved(group, cursor - group.start));
      return;
    }
    // The distance to the file's offset is a multiple of the largest alignment
    // in the group, so every section keeps its own on any page size.
    const start = cursor + modulo(group.start - cursor, group.alignment);
    placed.push(moved(group, start - group.start));
    cursor = start + (group.end - group.start);
    alignment = Math.max(alignment, group.alignment);
  };
  const region = (placeContents: () => void): Region => {
    const offset = cursor;
    placeContents();
    cursor = alignUp(cursor, pageSize);
    return { offset, length: cursor - offset };
  };
  const reserve = (count: number, size: number): number => {
    if (count > 0) cursor = alignUp(cursor, size);
    const offset = cursor;
    cursor += count * size;
    return offset;
  };
  let plt = 0;
  let got = 0;
  const code = region(() => {
    placeGroup("code");
    plt = reserve(slots.plt, PLT_STUB_SIZE);
  });
  const rodata = region(() => {
    placeGroup("rodata");
    got = reserve(slots.got, GOT_SLOT_SIZE);
  });
  const data = region(() => {
    placeGroup("data");
    placeGroup("bss");
  });
  return {
    size: Math.max(cursor, pageSize),
    alignment,
    code,
    rodata,
    data,
    gotRegion: rodata,
    plt,
    got,
    groups: trimmed(placed),
  };
}

/** Arranges a range in which the image moves as a whole, on pages of {@linkcode IMAGE_PAGE}. */
export function arrangeFixed(groups: readonly SectionGroup[], slots: SlotCounts): Arrangement {
  const filled = groups.filter(({ start, end }) => end > start);
  const endOf = (...kinds: readonly string[]): number =>
    filled.reduce((last, { kind, end }) => kinds.includes(kind) ? Math.max(last, end) : last, 0);
  const onPages = (end: number): number => alignUp(end, IMAGE_PAGE);
  const alignment = filled.reduce((most, group) => Math.max(most, group.alignment), IMAGE_PAGE);

  // Behind the last byte of a group, as an offset in the file's image, if its last page has the room.
  const [codeEnd, constantsEnd] = [endOf("code"), endOf("rodata")];
  const behind = (end: number, count: number, size: number): number | undefined => {
    const start = alignUp(end, size);
    return start + count * size <= onPages(end) ? start : undefined;
  };
  const pltBehind = behind(codeEnd, slots.plt, PLT_STUB_SIZE);
  const gotBehind = behind(constantsEnd, slots.got, GOT_SLOT_SIZE);
  const pltFront = pltBehind === undefined ? onPages(slots.plt * PLT_STUB_SIZE) : 0;
  const gotFront = gotBehind === undefined ? onPages(slots.got * GOT_SLOT_SIZE) : 0;
  const delta = alignUp(gotFront + pltFront, alignment);

  const codeStart = delta - pltFront;
  const upTo = (offset: number, end: number): Region => ({ offset, length: Math.max(0, end - offset) });
  const code = upTo(codeStart, delta + onPages(codeEnd));
  const rodata = upTo(code.offset + code.length, delta + onPages(constantsEnd));
  const data = upTo(rodata.offset + rodata.length, delta + onPages(endOf("data", "bss")));
  const got = gotBehind === undefined ? codeStart - gotFront : delta + gotBehind;
  return {
    size: Math.max(data.offset + data.length, IMAGE_PAGE),
    alignment,
    code,
    rodata,
    data,
    gotRegion: gotBehind === undefined ? { offset: got, length: gotFront } : rodata,
    plt: pltBehind === undefined ? codeStart : delta + pltBehind,
    got,
    groups: groups.map((group) => moved(group, delta)),
  };
}

function moved({ kind, start, end }: SectionGroup, delta: number): PlacedGroup {
  return { start, end, isCode: kind === "code" && end > start, delta };
}

/** The remainder in [0, divisor), also for negative values. */
function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
