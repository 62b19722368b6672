/**
 * Finds the pages of constants that nothing but the file's own bytes fills: pure. The loader never writes to them once
 * they are loaded, whatever a reload aims elsewhere; so if those of two versions are equal, they can be stored once.
 */

import type { HousedFile } from "./homes/shape.ts";
import { HomePlaces } from "./homes/places.ts";
import { GOT_SLOT_SIZE, isInside } from "./arrange.ts";
import type { RelocationTable } from "../smf/reloc.ts";

/** A version with constants. */
export interface ConstantsFile extends HousedFile {
  readonly file: HousedFile["file"] & { readonly relocations: RelocationTable };
}

/** The most bytes that one relocation changes. */
const RELOCATED = 8;

/**
 * For each page of the constants 1 if it is plain. Others have a relocation, a GOT slot or a part of a home: tables of
 * classes may grow into bytes that no relocation names.
 */
export function plainPages(version: ConstantsFile, pageSize: number): Uint8Array {
  const { file: { relocations }, plan } = version, { rodata } = plan;
  const plain = new Uint8Array(rodata.length / pageSize).fill(1);
  const exclude = (offset: number, size: number): void => {
    const first = Math.floor((offset - rodata.offset) / pageSize);
    const last = Math.floor((offset + size - 1 - rodata.offset) / pageSize);
    for (let page = Math.max(first, 0); page <= last && page < plain.length; page++) plain[page] = 0;
  };
  const end = rodata.offset + rodata.length;
  for (let index = 0; index < relocations.length; index++) {
    const place = plan.place(relocations.offset(index), 0);
    if (place + RELOCATED > rodata.offset && place < end) exclude(place, RELOCATED);
  }
  if (plan.slots.got > 0) exclude(plan.got, plan.slots.got * GOT_SLOT_SIZE);
  const places = HomePlaces.of(version);
  for (const home of places.tables) {
    if (isInside(rodata, places.place(home))) exclude(places.place(home), places.homes[home].size);
  }
  return plain;
}
