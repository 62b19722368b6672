/**
 * The functions of a version that a reload switches, by keys that are the same in every version: the names of
 * exports, and keys of entries that are not exports, which are no names.
 */

import { type ExportPlace, exportPlace } from "../image/compatibility.ts";
import type { LoadedImage } from "../load/image.ts";
import { type Entries, type FunctionEntry, isEntryKey } from "../smf/entries.ts";
import { Binding, SymbolType } from "../smf/enums.ts";
import { SYMBOL_WORDS, type SymbolTable } from "../smf/symbol.ts";

/** The parts of an image that tell its functions. */
export type KeyedImage = Pick<LoadedImage, "file" | "plan" | "entries">;

const KIND = SYMBOL_WORDS.kind;

/** The functions of an image that a reload switches, by the indexes of their symbols. */
export class SwitchedFunctions {
  readonly #symbols: SymbolTable;
  /** Those that are not exported, in ascending order of their symbols. */
  readonly #entries: Entries["functions"];
  /** The stored type and binding of exports, and of imports. */
  readonly #exported: number;

  constructor({ file: { symbols }, entries }: KeyedImage) {
    this.#symbols = symbols;
    this.#entries = entries?.functions ?? [];
    this.#exported = Binding.Global << 8 | SymbolType.Function - symbols.typeBase;
  }

  has(symbol: number): boolean {
    const { words, step } = this.#symbols;
    const isExported = (words[symbol * step + KIND] & 0xffff) === this.#exported &&
      this.#symbols.isDefined(symbol);
    return isExported || this.#entryOf(symbol) !== undefined;
  }

  /** The key of one of the functions. */
  key(symbol: number): string {
    return this.#entryOf(symbol)?.key ?? this.#symbols.name(symbol);
  }

  #entryOf(symbol: number): FunctionEntry | undefined {
    const entries = this.#entries;
    let low = 0, high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entries[middle].symbol < symbol) low = middle + 1;
      else high = middle;
    }
    return entries[low]?.symbol === symbol ? entries[low] : undefined;
  }
}

/** Functions that were found in hot modules, by their entries: a reload looks for each several times. */
const known = new WeakMap<Entries, FoundKeys>();

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
    const keys = new Map(entries.functions.map(({ symbol, key }) => [key, symbol]));
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
