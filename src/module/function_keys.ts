/**
 * The functions of a version that a reload switches, by keys that are the same in every version: the names of
 * exports, and keys of entries that are not exports, which are no names.
 */

import { type ExportPlace, exportPlace } from "../image/compatibility.ts";
import type { LoadedImage } from "../load/image.ts";
import { type FunctionEntry, isEntryKey } from "../smf/entries.ts";

/** The parts of an image that tell its functions. */
export type KeyedImage = Pick<LoadedImage, "file" | "plan" | "entries">;

/** What was found in hot modules, by the lists of their entries: a reload looks for each function several times. */
const known = new WeakMap<readonly FunctionEntry[], FoundKeys>();

interface FoundKeys {
  readonly entries: ReadonlyMap<string, number>;
  readonly places: Map<string, ExportPlace>;
}

/** Finds a function or variable by its key; undefined if the version has none that has an address. */
export function placeOfKey(image: KeyedImage, key: string): ExportPlace | undefined {
  const { entries } = image;
  if (entries === undefined) return isEntryKey(key) ? undefined : exportPlace(image, key);
  let found = known.get(entries);
  if (found === undefined) {
    const keys = new Map(entries.map(({ symbol, key }) => [key, symbol]));
    known.set(entries, found = { entries: keys, places: new Map() });
  }
  let place = found.places.get(key);
  if (place === undefined) {
    place = isEntryKey(key) ? placeOf(image, found.entries.get(key)) : exportPlace(image, key);
    if (place !== undefined) found.places.set(key, place);
  }
  return place;
}

function placeOf(
  { file: { symbols }, plan }: KeyedImage,
  index: number | undefined,
): ExportPlace | undefined {
  if (index === undefined) return undefined;
  const room = plan.size - plan.place(symbols.value(index), 0);
  return { kind: "function", index, size: symbols.size(index), room };
}
