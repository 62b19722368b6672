/**
 * Finds the pages of constants that nothing but the file's own bytes fills: pure. The loader never writes to them once
 * they are loaded, whatever a reload aims elsewhere; so if those of two versions are equal, they can be stored once.
 */

import type { HousedFile } from "./homes/shape.ts";
import { HomePlaces } from "./homes/places.ts";
import { GOT_SLOT_SIZE, isInside } from "./arrange.ts";
import { RELOCATION_WORDS, type RelocationTable } from "../smf/reloc.ts";
import type { ImagePlan } from "./plan.ts";

/** A version with constants. */
export interface ConstantsFile extends HousedFile {
  readonly file: HousedFile["file"] & { readonly relocations: RelocationTable };
}

/** The most bytes that one relocation changes. */
const RELOCATED = 8;

const { offset: OFFSET, step: STEP } = RELOCATION_WORDS;

/** The pages of versions, each of which is asked for as the new one of a reload and as the old one of the next. */
const known = new WeakMap<ImagePlan, Uint8Array>();

/**
 * For each page of the constants 1 if it is plain. Others have a relocation, a GOT slot or a part of a home: tables of
 * classes may grow into bytes that no relocation names.
 */
export function plainPages(version: ConstantsFile, pageSize: number): Uint8Array {
  let plain = known.get(version.plan);
  if (plain === undefined) known.set(version.plan, plain = findPlainPages(version, pageSize));
  return plain;
}

function findPlainPages(version: ConstantsFile, pageSize: number): Uint8Array {
  const { file: { relocations: { words } }, plan } = version, { rodata, pageTable } = plan;
  const plain = new Uint8Array(rodata.length / pageSize).fill(1);
  const exclude = (offset: number, size: number): void => {
    const first = Math.floor((offset - rodata.offset) / pageSize);
    const last = Math.floor((offset + size - 1 - rodata.offset) / pageSize);
    for (let page = Math.max(first, 0); page <= last && page < plain.length; page++) plain[page] = 0;
  };
  const end = rodata.offset + rodata.length;
  for (let at = 0; at < words.length; at += STEP) {
    const place = pageTable.place(words[at + OFFSET], words[at + OFFSET + 1]);
    if (place + RELOCATED > rodata.offset && place < end) exclude(place, RELOCATED);
  }
  if (plan.slots.got > 0) exclude(plan.got, plan.slots.got * GOT_SLOT_SIZE);
  const places = HomePlaces.of(version);
  for (const home of places.tables) {
    if (isInside(rodata, places.place(home))) exclude(places.place(home), places.homes[home].size);
  }
  return plain;
}
