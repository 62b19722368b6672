/**
 * Which section an offset in a file's image is in.
 */
import type { SmfFile } from "../../smf/file.ts";
import { imageOffsets } from "../../smf/offsets.ts";
import type { SmfSection } from "../../smf/section.ts";

/** A section in the file's own image. */
export interface SectionPlace {
  readonly section: SmfSection;
  readonly start: number;
  readonly end: number;
}

/** The sections that are part of the image, by where they start. */
export function sectionPlaces(file: SmfFile): SectionPlace[] {
  const { offsets } = imageOffsets(file.sections);
  return file.sections.flatMap((section) => {
    const start = offsets[section.index];
    return start === undefined ? [] : [{ section, start, end: start + section.virtualSize }];
  }).sort((left, right) => left.start - right.start);
}

/** The section that has an offset, or ends at it when none has. */
export function sectionAt(places: readonly SectionPlace[], offset: number): SectionPlace | undefined {
  return places.find(({ start, end }) => offset >= start && offset < end) ??
    places.findLast(({ start, end }) => offset === end || offset === start);
}
