/**
 * Finds the section at an offset of a file's image.
 */
import type { SmfFile } from "../../smf/file.ts";
import { imageOffsets } from "../../smf/offsets.ts";
import type { SmfSection } from "../../smf/section.ts";

/** A section and its offsets in the file's image: from `start` up to but not including `end`. */
export interface SectionRange {
  readonly section: SmfSection;
  readonly start: number;
  readonly end: number;
}

/** The sections that are part of the image, in the order of their offsets. */
export function sectionRanges(file: SmfFile): SectionRange[] {
  const { offsets } = imageOffsets(file.sections);
  return file.sections.flatMap((section) => {
    const start = offsets[section.index];
    return start === undefined ? [] : [{ section, start, end: start + section.virtualSize }];
  }).sort((left, right) => left.start - right.start);
}

/** The section that contains an offset; if there is none, the last one that ends there. */
export function sectionAt(ranges: readonly SectionRange[], offset: number): SectionRange | undefined {
  return ranges.find(({ start, end }) => offset >= start && offset < end) ??
    ranges.findLast(({ start, end }) => offset === end || offset === start);
}
