/**
 * From a name to its symbol, where symbols stand in ascending order: the table
 * itself is searched.
 */

import { SYMBOL_FIELDS } from "./layout.ts";
import type { SearchKey } from "./symbol_key.ts";

/** Where a record has its name and its name's hash, in words. */
const NAME_OFFSET = SYMBOL_FIELDS.name_offset[0] / 4;
const NAME_HASH = SYMBOL_FIELDS.name_hash[0] / 4;

/** Records and names of a symbol table. */
export interface NameRecords {
  /** The records. */
  readonly words: Uint32Array;
  /** Words from one record to the next. */
  readonly step: number;
  /** The names that the records speak of. */
  readonly strings: Uint8Array;
}

/** After so many searches for each symbol, finding where hashes begin has paid for itself. */
const SEARCHES = 1 / 32;

/**
 * Binary search by hash and name. Who searches often gets places to begin at,
 * by the highest bits of the hash and four bytes each, no more of them than there
 * are symbols: one or two records are left to look at then. However a file has
 * chosen its hashes, a search takes no more steps than the logarithm.
 */
export class OrderedNames {
  /** How many symbols are searched, from the first of the table on. */
  readonly length: number;
  readonly #records: NameRecords;
  /** For each value of a hash's highest bits the first symbol that has it or a higher one, and the end. */
  #starts: Uint32Array | undefined;
  /** How far right the highest bits are shifted. */
  #shift = 0;
  #searches = 0;

  /**
   * @param length How many symbols, from the first on, are known to ascend by hash, those of equal hash by
   * their names' bytes.
   */
  constructor(records: NameRecords, length: number) {
    this.#records = records;
    this.length = length;
  }

  /** @returns the index of the symbol of this name, or -1. */
  find(key: SearchKey): number {
    const { words, step, strings } = this.#records;
    const { hash } = key;
    const starts = this.#starts;
    let low = 0, high = this.length;
    if (starts !== undefined) {
      const bucket = hash >>> this.#shift;
      low = starts[bucket];
      high = starts[bucket + 1];
    } else if (++this.#searches > high * SEARCHES) this.#findStarts();
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

  #findStarts(): void {
    const { words, step } = this.#records;
    const count = this.length;
    const shift = Math.min(31, Math.clz32(count) + 1);
    const buckets = 2 ** (32 - shift);
    const starts = new Uint32Array(buckets + 1);
    let next = 0;
    for (let index = 0; index < count; index++) {
      const bucket = words[index * step + NAME_HASH] >>> shift;
      while (next <= bucket) starts[next++] = index;
    }
    while (next <= buckets) starts[next++] = count;
    this.#starts = starts;
    this.#shift = shift;
  }
}
