/**
 * The functions of a version that a reload switches, by keys that are the same in every version: the names of
 * exports, and keys of entries that are not exports, which are no names.
 */

import { type ExportPlace, exportPlace } from "../image/compatibility.ts";
import type { LoadedImage } from "../load/image.ts";
import { entryKey, isEntryKey } from "../smf/entries.ts";

/** The parts of an image that tell its functions. */
export type KeyedImage = Pick<LoadedImage, "file" | "plan" | "entries">;

const known = new WeakMap<object, ReadonlyMap<string, number>>();

/** Returns the key of the function that a symbol of an image's entries names. */
export function keyOfEntry({ file: { symbols } }: KeyedImage, index: number, file: string): string {
  return entryKey(symbols.name(index), file);
}

/** Finds a function or variable by its key; undefined if the version has none that has an address. */
export function placeOfKey(image: KeyedImage, key: string): ExportPlace | undefined {
  if (!isEntryKey(key)) return exportPlace(image, key);
  const { entries } = image;
  if (entries === undefined) return undefined;
  let byKey = known.get(entries);
  if (byKey === undefined) {
    byKey = new Map(entries.map(({ symbol, file }) => [keyOfEntry(image, symbol, file), symbol]));
    known.set(entries, byKey);
  }
  const index = byKey.get(key);
  if (index === undefined) return undefined;
  const { file: { symbols }, plan } = image;
  return {
    kind: "function",
    index,
    size: symbols.size(index),
    room: plan.size - plan.place(symbols.value(index), 0),
  };
}
