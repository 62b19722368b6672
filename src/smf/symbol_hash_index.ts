/**
 * Finds symbols by name where the table is in any order: by a hash table.
 */

import { SYMBOL_FIELDS } from "./layout.ts";
import type { NameRecords } from "./symbol_sorted_index.ts";
import type { SymbolKey } from "./symbol_key.ts";

/** The offsets of a record's name and name hash, in words. */
const NAME_OFFSET = SYMBOL_FIELDS.name_offset[0] / 4;
const NAME_HASH = SYMBOL_FIELDS.name_hash[0] / 4;

/** The part of a symbol table that the index needs. */
export interface Named {
  /** The number of symbols. */
  readonly length: number;
  /** Returns a symbol's name. */
  name(index: number): string;
  /** Whether two symbols have the same name. */
  sameName(a: number, b: number): boolean;
  /** Whether a symbol is exported to other modules. */
  isExport(index: number): boolean;
}

/** Finds every export that has the name of an earlier one. */
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

/** Buckets per symbol: some must stay empty to end searches, and many do so that misses are short. */
const BUCKETS_PER_SYMBOL = 1.875;

/**
 * A hash table with open addressing: less than two buckets of four bytes per
 * symbol, and no objects. A name has at most two entries: its first symbol and, if
 * that is not an export, its first export.
 *
 * FNV-1a has no key, so a hostile file can hold many names with the same hash. If
 * building takes more steps than an honest table needs, `Map`s replace the table,
 * whose hash the file cannot know.
 */
export class SymbolHashIndex {
  readonly #symbols: Named;
  readonly #records: NameRecords;
  /** The first symbol in the index. */
  readonly #from: number;
  /** The index of a symbol plus 1, or 0 for an empty bucket. */
  readonly #buckets: Int32Array;
  /** The number of buckets divided by 2^32, the number of hashes. */
  readonly #scale: number;
  #firstByName: Map<string, number> | undefined;
  #exportByName: Map<string, number> | undefined;
  /** Two exports with the same name, if there are any. */
  readonly duplicate: readonly [first: number, second: number] | undefined;

  /**
   * Indexes symbols, up to the first duplicate export.
   *
   * @param symbols The symbols; searches use them too.
   * @param records Their records and names.
   * @param from The first symbol to index.
   */
  constructor(symbols: Named, records: NameRecords, from = 0) {
    this.#symbols = symbols;
    this.#records = records;
    this.#from = from;
    this.#buckets = new Int32Array(Math.ceil((symbols.length - from) * BUCKETS_PER_SYMBOL));
    this.#scale = this.#buckets.length / 0x1_0000_0000;
    this.duplicate = this.#insertAll();
  }

  /** Fills the table; returns two exports with the same name, if there are any. */
  #insertAll(): readonly [number, number] | undefined {
    const symbols = this.#symbols,
      buckets = this.#buckets,
      from = this.#from,
      { words, step } = this.#records;
    const scale = this.#scale, size = buckets.length, end = symbols.length;
    let steps = honestSteps(end - from);
    for (let index = from; index < end; index++) {
      const hash = words[index * step + NAME_HASH];
      for (let bucket = homeBucket(hash, scale);; bucket = bucket + 1 === size ? 0 : bucket + 1) {
        const occupant = buckets[bucket] - 1;
        if (occupant < 0) {
          buckets[bucket] = index + 1;
          break;
        }
        if (--steps < 0) return this.#useMaps();
        if (words[occupant * step + NAME_HASH] !== hash || !symbols.sameName(occupant, index)) continue;
        if (!symbols.isExport(index)) break;
        if (symbols.isExport(occupant)) return [occupant, index];
      }
    }
    return undefined;
  }

  #useMaps(): readonly [number, number] | undefined {
    const symbols = this.#symbols;
    this.#firstByName = new Map();
    this.#exportByName = new Map();
    for (let i = this.#from; i < symbols.length; i++) {
      const name = symbols.name(i);
      if (!this.#firstByName.has(name)) this.#firstByName.set(name, i);
      if (!symbols.isExport(i)) continue;
      const other = this.#exportByName.get(name);
      if (other !== undefined) return [other, i];
      this.#exportByName.set(name, i);
    }
    return undefined;
  }

  /**
   * Finds the first symbol, or the first export, with a name.
   *
   * @param exported Whether to consider exports only.
   * @returns the index of the symbol, or -1.
   */
  find(key: SymbolKey, exported: boolean): number {
    const maps = exported ? this.#exportByName : this.#firstByName;
    if (maps !== undefined) return maps.get(key.text()) ?? -1;
    const buckets = this.#buckets, size = buckets.length, { words, step, strings } = this.#records;
    if (size === 0) return -1;
    const { hash } = key;
    for (let bucket = homeBucket(hash, this.#scale);; bucket = bucket + 1 === size ? 0 : bucket + 1) {
      const occupant = buckets[bucket] - 1;
      if (occupant < 0) return -1;
      const at = occupant * step;
      if (words[at + NAME_HASH] !== hash || key.compare(strings, words[at + NAME_OFFSET]) !== 0) continue;
      if (!exported || this.#symbols.isExport(occupant)) return occupant;
    }
  }
}

/** The steps that filling a table with so many symbols takes at most if nobody has chosen names for their hashes. */
export function honestSteps(symbols: number): number {
  return symbols * 16 + 256;
}

/**
 * Returns the bucket where the search for a hash starts.
 *
 * @param scale The number of buckets divided by 2^32, the number of hashes.
 */
export function homeBucket(hash: number, scale: number): number {
  // Fibonacci hashing, because the high bits of FNV-1a of short names vary little.
  return ((Math.imul(hash, 0x9e3779b1) >>> 0) * scale) | 0;
}
