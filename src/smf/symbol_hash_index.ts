/**
 * From a name to the first symbol that has it.
 */

import { SYMBOL_FIELDS } from "./layout.ts";
import type { NameRecords } from "./symbol_sorted_index.ts";
import type { SearchKey } from "./symbol_key.ts";

/** Where a record has its name and its name's hash, in words. */
const NAME_OFFSET = SYMBOL_FIELDS.name_offset[0] / 4;
const NAME_HASH = SYMBOL_FIELDS.name_hash[0] / 4;

/** What the index must know of the symbols that it holds. */
export interface Named {
  /** How many there are. */
  readonly length: number;
  /** A symbol's name. */
  name(index: number): string;
  /** Whether two symbols have one name. */
  sameName(a: number, b: number): boolean;
  /** Whether other modules may use a symbol. */
  isExport(index: number): boolean;
}

/** Every export whose name an earlier one has. */
export function* duplicateExports(symbols: Named): Iterable<readonly [first: number, second: number]> {
  const exports = new Map<string, number>();
  for (let i = 0; i < symbols.length; i++) {
    if (!symbols.isExport(i)) continue;
    const name = symbols.name(i);
    const first = exports.get(name);
    if (first === undefined) exports.set(name, i);
    else yield [first, i];
  }
}

/** Slots for each symbol: some must stay empty, many of them so that misses are short. */
const SLOTS = 1.875;

/**
 * Open addressing with less than two slots a symbol, eight bytes: no object for
 * any symbol. A name has at most two entries, its first symbol and, when that is no
 * export, its first export.
 *
 * FNV-1a has no key, so a file can hold many names of one hash; when building
 * takes more steps than any honest table needs, a `Map` takes over, whose hash
 * the file cannot know.
 */
export class NameIndex {
  readonly #symbols: Named;
  readonly #records: NameRecords;
  /** The first symbol that is indexed. */
  readonly #from: number;
  readonly #slots: Int32Array;
  /** Slots for each of the 2^32 hashes there may be. */
  readonly #scale: number;
  #first: Map<string, number> | undefined;
  #exports: Map<string, number> | undefined;
  /** Two exports of one name, if there are any. */
  readonly duplicate: readonly [first: number, second: number] | undefined;

  /**
   * Indexes symbols, or as many as there are before a duplicate.
   *
   * @param symbols What to index; asked again at every search.
   * @param records Their records and names.
   * @param from The first symbol that counts; none that stand before it is known here.
   */
  constructor(symbols: Named, records: NameRecords, from = 0) {
    this.#symbols = symbols;
    this.#records = records;
    this.#from = from;
    this.#slots = new Int32Array(Math.ceil((symbols.length - from) * SLOTS));
    this.#scale = this.#slots.length / 0x1_0000_0000;
    this.duplicate = this.#insertAll();
  }

  /** @returns two exports of one name, if there are any. */
  #insertAll(): readonly [number, number] | undefined {
    const symbols = this.#symbols, slots = this.#slots, from = this.#from, { words, step } = this.#records;
    const scale = this.#scale, size = slots.length, end = symbols.length;
    let steps = (end - from) * 16 + 256;
    for (let index = from; index < end; index++) {
      const hash = words[index * step + NAME_HASH];
      for (let slot = home(hash, scale);; slot = slot + 1 === size ? 0 : slot + 1) {
        const held = slots[slot] - 1;
        if (held < 0) {
          slots[slot] = index + 1;
          break;
        }
        if (--steps < 0) return this.#useMaps();
        if (words[held * step + NAME_HASH] !== hash || !symbols.sameName(held, index)) continue;
        if (!symbols.isExport(index)) break;
        if (symbols.isExport(held)) return [held, index];
      }
    }
    return undefined;
  }

  #useMaps(): readonly [number, number] | undefined {
    const symbols = this.#symbols;
    this.#first = new Map();
    this.#exports = new Map();
    for (let i = this.#from; i < symbols.length; i++) {
      const name = symbols.name(i);
      if (!this.#first.has(name)) this.#first.set(name, i);
      if (!symbols.isExport(i)) continue;
      const other = this.#exports.get(name);
      if (other !== undefined) return [other, i];
      this.#exports.set(name, i);
    }
    return undefined;
  }

  /**
   * @param exported Whether only exports count.
   * @returns the index of the first symbol of this name, or -1.
   */
  find(key: SearchKey, exported: boolean): number {
    const maps = exported ? this.#exports : this.#first;
    if (maps !== undefined) return maps.get(key.text()) ?? -1;
    const slots = this.#slots, size = slots.length, { words, step, strings } = this.#records;
    if (size === 0) return -1;
    const { hash } = key;
    for (let slot = home(hash, this.#scale);; slot = slot + 1 === size ? 0 : slot + 1) {
      const held = slots[slot] - 1;
      if (held < 0) return -1;
      const at = held * step;
      if (words[at + NAME_HASH] !== hash || key.compare(strings, words[at + NAME_OFFSET]) !== 0) continue;
      if (!exported || this.#symbols.isExport(held)) return held;
    }
  }
}

/** The slot where a search for this hash begins. */
function home(hash: number, scale: number): number {
  // Fibonacci hashing: FNV-1a of short names leaves the high bits poor.
  return ((Math.imul(hash, 0x9e3779b1) >>> 0) * scale) | 0;
}
