/**
 * From a name to the first symbol that has it.
 */

import { hashName } from "./hash.ts";
import { SYMBOL_FIELDS } from "./layout.ts";

/** Where a record has its name's hash, in words. */
const NAME_HASH = SYMBOL_FIELDS.name_hash[0] / 4;

const encoder = new TextEncoder();

/** What the index must know of the symbols that it holds. */
export interface Named {
  /** How many there are. */
  readonly length: number;
  /** A symbol's name. */
  name(index: number): string;
  /** Whether two symbols have one name. */
  sameName(a: number, b: number): boolean;
  /** Whether this is a symbol's name. */
  isNamed(index: number, name: Uint8Array): boolean;
  /** Whether other modules may use a symbol. */
  isExport(index: number): boolean;
}

/**
 * Open addressing with two slots a symbol, eight bytes: no object for any
 * symbol. A name has at most two entries, its first symbol and, when that is no
 * export, its first export.
 *
 * FNV-1a has no key, so a file can hold many names of one hash; when building
 * takes more steps than any honest table needs, a `Map` takes over, whose hash
 * the file cannot know.
 */
export class NameIndex {
  #symbols: Named;
  #words: Uint32Array;
  #step: number;
  #slots: Int32Array;
  #first: Map<string, number> | undefined;
  #exports: Map<string, number> | undefined;
  #clash = -1;
  /** Two exports of one name, if there are any. */
  readonly duplicate: readonly [first: number, second: number] | undefined;

  /**
   * Indexes all symbols, or as many as there are before a duplicate.
   *
   * @param symbols What to index; asked again at every search.
   * @param words Their records.
   * @param step Words from one record to the next.
   */
  constructor(symbols: Named, words: Uint32Array, step: number) {
    this.#symbols = symbols;
    this.#words = words;
    this.#step = step;
    this.#slots = new Int32Array(symbols.length * 2);
    let steps = symbols.length * 16 + 256;
    for (let i = 0; i < symbols.length; i++) {
      steps -= this.#insert(i);
      if (this.#clash >= 0) {
        this.duplicate = [this.#clash, i];
        return;
      }
      if (steps < 0) {
        this.duplicate = this.#useMaps();
        return;
      }
    }
  }

  /** The slot where a search for this hash begins. */
  #home(hash: number): number {
    // Fibonacci hashing: FNV-1a of short names leaves the high bits poor.
    return Math.floor(((Math.imul(hash, 0x9e3779b1) >>> 0) / 0x1_0000_0000) * this.#slots.length);
  }

  /** @returns how many slots were looked at. */
  #insert(index: number): number {
    const symbols = this.#symbols, slots = this.#slots, words = this.#words, step = this.#step;
    const hash = words[index * step + NAME_HASH];
    let steps = 1;
    for (let slot = this.#home(hash);; slot = slot + 1 === slots.length ? 0 : slot + 1) {
      const held = slots[slot] - 1;
      if (held < 0) {
        slots[slot] = index + 1;
        return steps;
      }
      steps++;
      if (words[held * step + NAME_HASH] !== hash || !symbols.sameName(held, index)) continue;
      if (!symbols.isExport(index)) return steps;
      if (symbols.isExport(held)) {
        this.#clash = held;
        return steps;
      }
    }
  }

  #useMaps(): readonly [number, number] | undefined {
    const symbols = this.#symbols;
    this.#first = new Map();
    this.#exports = new Map();
    for (let i = 0; i < symbols.length; i++) {
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
  find(name: string, exported: boolean): number {
    const maps = exported ? this.#exports : this.#first;
    if (maps !== undefined) return maps.get(name) ?? -1;
    // Names end at a NUL and are UTF-8, so that neither of these can be anybody's.
    if (this.#slots.length === 0 || name.includes("\0") || !name.isWellFormed()) return -1;
    const bytes = encoder.encode(name);
    const hash = hashName(bytes);
    const symbols = this.#symbols, slots = this.#slots, words = this.#words, step = this.#step;
    for (let slot = this.#home(hash);; slot = slot + 1 === slots.length ? 0 : slot + 1) {
      const held = slots[slot] - 1;
      if (held < 0) return -1;
      if (words[held * step + NAME_HASH] !== hash || !symbols.isNamed(held, bytes)) continue;
      if (!exported || symbols.isExport(held)) return held;
    }
  }
}
