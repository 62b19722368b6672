/**
 * Compares what two files say about the types of all their symbols at once: most reloads change no declaration.
 */

import { equal } from "../smf/equal.ts";
import type { SmfFile } from "../smf/file.ts";
import { decodedOf } from "../smf/types.ts";
import type { TypedAddresses } from "../types/typed_addresses.ts";
import type { TypedVersion } from "./typed_variables.ts";

/** For each symbol of a file the place of its type among the typed addresses; -1 if it has none. */
const known = new WeakMap<SmfFile, Int32Array>();

/**
 * Whether each symbol has the same type in two versions that have the same names, in the same order.
 *
 * @returns false, too, if nobody knows, because the types were not found to be the same when they were decoded.
 */
export function haveSameTypes(before: TypedVersion, after: TypedVersion): boolean {
  if (before.types.types !== after.types.types) return false;
  const { typed: old } = decodedOf(before.types), { typed: now } = decodedOf(after.types);
  if (old.types !== now.types && !equal(old.types, now.types)) return false;
  const { symbols } = after.file, places = placesOf(before, old);
  for (let index = 0; index < symbols.length; index++) {
    const place = places[index];
    if (place < 0) {
      if (symbols.visibility(index) !== 0 && now.indexOf(symbols.value(index)) >= 0) return false;
    } else if (now.addresses[place] !== symbols.value(index)) return false;
  }
  known.set(after.file, places);
  return true;
}

function placesOf({ file }: TypedVersion, typed: TypedAddresses): Int32Array {
  let places = known.get(file);
  if (places === undefined) {
    const { symbols } = file;
    places = new Int32Array(symbols.length);
    for (let index = 0; index < places.length; index++) {
      places[index] = symbols.visibility(index) === 0 ? -1 : typed.indexOf(symbols.value(index));
    }
    known.set(file, places);
  }
  return places;
}
