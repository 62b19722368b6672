/**
 * Finds symbols by name where the table is sorted: by binary search in the table
 * itself.
 */

import { SYMBOL_FIELDS } from "./layout.ts";
import type { SymbolKey } from "./symbol_key.ts";

/** The offsets of a record's name and name hash, in words. */
const NAME_OFFSET = SYMBOL_FIELDS.name_offset[0] / 4;
const NAME_HASH = SYMBOL_FIELDS.name_hash[0] / 4;

/** The records and names of a symbol table. */
export interface NameRecords {
  /** The records. */
  readonly words: Uint32Array;
  /** The distance from one record to the next, in words. */
  readonly step: number;
  /** The names, to which the records have offsets. */
  readonly strings: Uint8Array;
}

/** The number of searches per symbol from which on the prefix table costs less than it saves. */
const SEARCHES_PER_SYMBOL = 1 / 32;

/**
 * Binary search by hash and name. After many searches a prefix table is built,
 * which maps the highest bits of a hash to the first symbol that has them; it has
 * four bytes per entry and no more entries than there are symbols, and leaves one
 * or two records to compare. A search takes logarithmic time at most, whatever
 * hashes the file has.
 */
export class SymbolSortedIndex {
  /** The number of symbols in the index, from the start of the table. */
  readonly length: number;
  readonly #records: NameRecords;
  /** For each prefix of a hash, the first symbol with that prefix or a higher one; then the number of symbols. */
  #starts: Uint32Array | undefined;
  /** The right shift that makes a hash a prefix. */
  #shift = 0;
  #searches = 0;

  /**
   * Starts an index.
   *
   * @param length The number of symbols, from the start of the table, that are known to ascend by hash, and by the
   * bytes of their names where hashes are equal.
   */
  constructor(records: NameRecords, length: number) {
    this.#records = records;
    this.length = length;
  }

  /** Returns the index of the symbol with this name, or -1. */
  find(key: SymbolKey): number {
    const { words, step, strings } = this.#records;
    const { hash } = key;
    const starts = this.#starts;
    let low = 0, high = this.length;
    if (starts !== undefined) {
      const prefix = hash >>> this.#shift;
      low = starts[prefix];
      high = starts[prefix + 1];
    } else if (++this.#searches > high * SEARCHES_PER_SYMBOL) this.#indexPrefixes();
    while (low < high) {
      const middle = low + high >>> 1, at = middle * step;
      const other = words[at + NAME_HASH];
      const order = other === hash ? key.compare(strings, words[at + NAME_OFFSET]) : other < hash ? -1 : 1;
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1;
  }

  #indexPrefixes(): void {
    const { words, step } = this.#records;
    const count = this.length;
    const shift = Math.min(31, Math.clz32(count) + 1);
    const prefixes = 2 ** (32 - shift);
    const starts = new Uint32Array(prefixes + 1);
    let next = 0;
    for (let index = 0; index < count; index++) {
      const prefix = words[index * step + NAME_HASH] >>> shift;
      while (next <= prefix) starts[next++] = index;
    }
    while (next <= prefixes) starts[next++] = count;
    this.#starts = starts;
    this.#shift = shift;
  }
}
