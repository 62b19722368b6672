/**
 * Finds symbols by the bytes of their names among some of a table, without decoding any.
 */

import { SYMBOL_WORDS, type SymbolTable } from "./symbol.ts";
import { homeBucket, honestSteps } from "./symbol_hash_index.ts";
import { SymbolKey } from "./symbol_key.ts";

const { nameOffset: NAME_OFFSET, nameHash: NAME_HASH } = SYMBOL_WORDS;

/** The key of the current search; searches do not nest. */
const key = new SymbolKey();

/**
 * A hash table with open addressing, in which each name is once.
 *
 * A `Map` replaces it where names are chosen to have the same hash, as in symbol_hash_index.ts.
 */
export class NameTable {
  readonly #symbols: SymbolTable;
  /** The index of a symbol plus 1, or 0 for an empty bucket. */
  readonly #buckets: Int32Array;
  readonly #scale: number;
  /** The steps that insertions may still take. */
  #steps: number;
  #map: Map<string, number> | undefined;

  /** @param symbols The table whose symbols are added. */
  constructor(symbols: SymbolTable) {
    this.#symbols = symbols;
    this.#buckets = new Int32Array(2 ** Math.ceil(Math.log2(2 * symbols.length + 2)));
    this.#scale = this.#buckets.length / 0x1_0000_0000;
    this.#steps = honestSteps(symbols.length);
  }

  /** Adds a symbol if no other has its name. Returns the index of that other one, or -1. */
  add(index: number): number {
    if (this.#map !== undefined) return this.#addToMap(this.#map, index);
    const { words, step } = this.#symbols, buckets = this.#buckets, mask = buckets.length - 1;
    const hash = words[index * step + NAME_HASH];
    for (let bucket = homeBucket(hash, this.#scale);; bucket = (bucket + 1) & mask) {
      const other = buckets[bucket] - 1;
      if (other < 0) {
        buckets[bucket] = index + 1;
        return -1;
      }
      if (--this.#steps < 0) return this.#addToMap(this.#useMap(), index);
      if (words[other * step + NAME_HASH] === hash && this.#symbols.sameName(other, index)) return other;
    }
  }

  /** The index of the symbol with a name; -1 if there is none. */
  find(name: string): number {
    if (this.#map !== undefined) return this.#map.get(name) ?? -1;
    if (!key.set(name)) return -1;
    const { words, step, strings } = this.#symbols, buckets = this.#buckets;
    const mask = buckets.length - 1, { hash } = key;
    for (let bucket = homeBucket(hash, this.#scale);; bucket = (bucket + 1) & mask) {
      const other = buckets[bucket] - 1;
      if (other < 0) return -1;
      const at = other * step;
      if (words[at + NAME_HASH] === hash && key.compare(strings, words[at + NAME_OFFSET]) === 0) return other;
    }
  }

  /** The index of the symbol with the name of one in another table; -1 if there is none. */
  findLike(others: SymbolTable, like: number): number {
    if (this.#map !== undefined) return this.#map.get(others.name(like)) ?? -1;
    const { words, step, strings } = this.#symbols, buckets = this.#buckets;
    const mask = buckets.length - 1, record = like * others.step;
    const hash = others.words[record + NAME_HASH], start = others.words[record + NAME_OFFSET];
    for (let bucket = homeBucket(hash, this.#scale);; bucket = (bucket + 1) & mask) {
      const other = buckets[bucket] - 1;
      if (other < 0) return -1;
      const at = other * step;
      if (words[at + NAME_HASH] !== hash) continue;
      if (isSameName(strings, words[at + NAME_OFFSET], others.strings, start)) return other;
    }
  }

  #useMap(): Map<string, number> {
    const map = this.#map = new Map<string, number>();
    for (const bucket of this.#buckets) if (bucket > 0) map.set(this.#symbols.name(bucket - 1), bucket - 1);
    return map;
  }

  #addToMap(map: Map<string, number>, index: number): number {
    const name = this.#symbols.name(index), other = map.get(name);
    if (other === undefined) map.set(name, index);
    return other ?? -1;
  }
}

function isSameName(left: Uint8Array, i: number, right: Uint8Array, j: number): boolean {
  // If a buffer was changed after the check, there may not be a NUL.
  for (; i < left.length && left[i] === right[j]; i++, j++) if (left[i] === 0) return true;
  return false;
}
