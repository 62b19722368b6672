/**
 * The functions of a version that a reload switches, by keys that are the same in every version: the names of
 * exports, and keys of entries that are not exports, which are no names.
 */

import { type ExportPlace, exportPlace, exportPlaceAt } from "../image/compatibility.ts";
import { NameGroups } from "../image/name_groups.ts";
import type { LoadedImage } from "../load/image.ts";
import { type Entries, type FunctionEntry, isEntryKey } from "../smf/entries.ts";
import { Binding, SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";
import { haveSameNames } from "../smf/same_names.ts";
import { SYMBOL_WORDS, type SymbolTable } from "../smf/symbol.ts";

/** The parts of an image that tell its functions. */
export type KeyedImage = Pick<LoadedImage, "file" | "plan" | "entries">;

const KIND = SYMBOL_WORDS.kind;

/** The functions of an image that a reload switches, by the indexes of their symbols. */
export class SwitchedFunctions {
  readonly #file: SmfFile;
  readonly #symbols: SymbolTable;
  /** Those that are not exported, in ascending order of their symbols. */
  readonly #entries: Entries["functions"];
  /** The stored type and binding of exports, and of imports. */
  readonly #exported: number;

  constructor({ file, entries }: KeyedImage) {
    const { symbols } = this.#file = file;
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
    return this.#entryOf(symbol)?.key ?? exportNamesOf(this.#file).name(this.#symbols, symbol);
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

/**
 * Names of exports that were looked up in hot modules: a reload looks for each several times. Versions whose tables have
 * the same names share them.
 */
class ExportNames {
  readonly #indices = new Map<string, number>();
  readonly #names: string[] = [];

  /** The name of a symbol. */
  name(symbols: SymbolTable, symbol: number): string {
    return this.#names[symbol] ??= symbols.name(symbol);
  }

  /** The symbol of an export; -1 if there is none of that name. */
  indexOf(symbols: SymbolTable, name: string): number {
    let index = this.#indices.get(name);
    if (index === undefined) {
      index = symbols.exportOf(name);
      if (index >= 0) this.#indices.set(name, index);
    }
    return index;
  }
}

const exportNames = new WeakMap<SmfFile, ExportNames>();

/** The names of a file's exports; those of all files with the same names once it was compared with one of them. */
function exportNamesOf(file: SmfFile): ExportNames {
  let names = exportNames.get(file);
  if (names === undefined) {
    names = NameGroups.known(file)?.fact(() => new ExportNames(), ExportNames) ?? new ExportNames();
    exportNames.set(file, names);
  }
  return names;
}

/** The symbols of a hot module's entries by their keys. */
const entrySymbols = new WeakMap<Entries, ReadonlyMap<string, number>>();

function symbolOfEntry(entries: Entries, key: string): number | undefined {
  let symbols = entrySymbols.get(entries);
  if (symbols === undefined) {
    entrySymbols.set(
      entries,
      symbols = new Map(entries.functions.map(({ symbol, key }) => [key, symbol])),
    );
  }
  return symbols.get(key);
}

/** Whether each key that two images have means symbols of the same index, and both have the same keys. */
export function haveSameKeys(one: KeyedImage, other: KeyedImage): boolean {
  const names = NameGroups.known(one.file);
  const isSame = names !== undefined && names === NameGroups.known(other.file) ||
    haveSameNames(one.file.symbols, other.file.symbols);
  return isSame && haveSameEntries(one.entries, other.entries);
}

function haveSameEntries(one: Entries | undefined, other: Entries | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  const { functions } = one, { functions: others } = other;
  if (functions.length !== others.length) return false;
  for (let index = 0; index < functions.length; index++) {
    const { symbol, file } = functions[index];
    if (symbol !== others[index].symbol || file !== others[index].file) return false;
  }
  return true;
}

/** Finds a function or variable by its key; undefined if the version has none that has an address. */
export function placeOfKey(image: KeyedImage, key: string): ExportPlace | undefined {
  const { entries, file } = image;
  if (entries === undefined) return isEntryKey(key) ? undefined : exportPlace(image, key);
  if (isEntryKey(key)) return placeOf(image, symbolOfEntry(entries, key));
  return exportPlaceAt(image, exportNamesOf(file).indexOf(file.symbols, key));
}

function placeOf(
  { file: { symbols }, plan }: KeyedImage,
  index: number | undefined,
): ExportPlace | undefined {
  if (index === undefined) return undefined;
  const room = plan.size - plan.place(symbols.value(index), 0);
  return { kind: "function", index, size: symbols.size(index), room };
}
