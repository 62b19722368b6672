/**
 * Compares what two files say about the types of all their symbols at once: most reloads change no declaration.
 */

import { equal } from "../smf/equal.ts";
import type { SmfFile } from "../smf/file.ts";
import { SYMBOL_WORDS } from "../smf/symbol.ts";
import { decodedOf } from "../smf/types.ts";
import type { TypedAddresses } from "../types/typed_addresses.ts";
import type { TypedVersion } from "./typed_variables.ts";

const { kind: KIND, value: VALUE } = SYMBOL_WORDS;
/** The byte of a symbol's kind that is its visibility. */
const VISIBILITY = 0xff_0000;

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
  const { words, step } = after.file.symbols, { addresses } = now, places = placesOf(before, old);
  for (let index = 0, at = 0; index < places.length; index++, at += step) {
    const place = places[index], value = words[at + VALUE + 1] * 2 ** 32 + words[at + VALUE];
    if (place < 0) {
      if ((words[at + KIND] & VISIBILITY) !== 0 && now.indexOf(value) >= 0) return false;
    } else if (addresses[place] !== value) return false;
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
