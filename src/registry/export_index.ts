/**
 * An index from the hash of a name to the modules that may export it: a lookup
 * does not get slower with the number of modules.
 *
 * Modules are indexed when a name is looked up, not before. A lookup finds what
 * a module exported when it was indexed, so the caller must ask the module
 * itself whether it exports the name now.
 */

import { hashName } from "../smf/hash.ts";

/** The part of a module that the index uses. */
export interface Indexed {
  readonly exports: {
    /** The hashes of the names that the module exports now. */
    nameHashes(): Iterable<number>;
  };
}

/** The modules of one registry by what they export. */
export class ExportIndex<Module extends Indexed> {
  /** Modules by number. Numbers ascend in load order and are not used twice. */
  readonly #modules = new Map<number, Module>();
  readonly #numbers = new Map<Module, number>();
  /** For each hash the numbers of modules, ascending. A number does not keep a forgotten module alive. */
  #byHash = new Map<number, number[]>();
  /** Modules that were added or changed since the last lookup. */
  #pending = new Set<number>();
  #next = 0;
  /** How many modules `#byHash` was filled from, and how many of those were deleted since. */
  #indexed = 0;
  #forgotten = 0;

  /** Adds a module, after all others. */
  add(module: Module): void {
    const number = this.#next++;
    this.#modules.set(number, module);
    this.#numbers.set(module, number);
    this.#pending.add(number);
  }

  /** Has a module indexed again because its exports changed. */
  refresh(module: Module): void {
    const number = this.#numbers.get(module);
    if (number !== undefined) this.#pending.add(number);
  }

  /** Forgets a module. */
  delete(module: Module): void {
    const number = this.#numbers.get(module);
    if (number === undefined) return;
    this.#numbers.delete(module);
    this.#modules.delete(number);
    if (!this.#pending.delete(number)) this.#forgotten++;
  }

  /** Forgets all modules. */
  clear(): void {
    this.#modules.clear();
    this.#numbers.clear();
    this.#reset();
  }

  /** The modules that may export a name, in load order. */
  candidates(name: string): Module[] {
    this.#indexPending();
    const found: Module[] = [];
    for (const number of this.#byHash.get(hashName(name)) ?? []) {
      const module = this.#modules.get(number);
      if (module !== undefined) found.push(module);
    }
    return found;
  }

  /** Indexes new and changed modules. Rebuilds the index if most of it belongs to deleted modules. */
  #indexPending(): void {
    if (this.#forgotten > 16 && 2 * this.#forgotten > this.#indexed) this.#reset();
    if (this.#pending.size === 0) return;
    for (const number of this.#pending) {
      this.#indexed++;
      for (const hash of this.#modules.get(number)!.exports.nameHashes()) this.#insert(hash, number);
    }
    this.#pending.clear();
  }

  #reset(): void {
    this.#byHash = new Map();
    this.#pending = new Set(this.#modules.keys());
    this.#indexed = 0;
    this.#forgotten = 0;
  }

  #insert(hash: number, number: number): void {
    const numbers = this.#byHash.get(hash);
    if (numbers === undefined) {
      this.#byHash.set(hash, [number]);
      return;
    }
    // The number is nearly always the highest, so the search starts at the end.
    let at = numbers.length;
    while (at > 0 && numbers[at - 1] > number) at--;
    if (numbers[at - 1] !== number) numbers.splice(at, 0, number);
  }
}
