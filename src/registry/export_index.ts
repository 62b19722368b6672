/**
 * Which modules may export a name: found by the hash of the name, however many
 * modules there are.
 *
 * Nothing is indexed before somebody asks for a name. A module is found by what
 * it exported when it was indexed, so whoever gets it must look for itself.
 */

import { hashName } from "../smf/hash.ts";

/** A module, as far as the index knows it. */
export interface Indexed {
  readonly exports: {
    /** The hashes of the names that it exports now. */
    nameHashes(): Iterable<number>;
  };
}

/** The modules of one registry by what they export. */
export class ExportIndex<Module extends Indexed> {
  /** By numbers in the order in which they came, never given twice. */
  readonly #modules = new Map<number, Module>();
  readonly #numbers = new Map<Module, number>();
  /** For each hash the numbers of modules, ascending. Numbers hold no module that was forgotten. */
  #byHash = new Map<number, number[]>();
  /** Those that have not been indexed since they came or changed. */
  #pending = new Set<number>();
  #next = 0;
  /** How many were indexed, and how many of those have been forgotten since. */
  #indexed = 0;
  #forgotten = 0;

  /** Enters a module. */
  add(module: Module): void {
    const number = this.#next++;
    this.#modules.set(number, module);
    this.#numbers.set(module, number);
    this.#pending.add(number);
  }

  /** A module exports other names than before. */
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
    this.#restart();
  }

  /** The modules that may export a name, in the order in which they came. */
  candidates(name: string): Module[] {
    this.#settle();
    const found: Module[] = [];
    for (const number of this.#byHash.get(hashName(name)) ?? []) {
      const module = this.#modules.get(number);
      if (module !== undefined) found.push(module);
    }
    return found;
  }

  /** Indexes what is pending; anew if most of what there is belongs to modules that are gone. */
  #settle(): void {
    if (this.#forgotten > 16 && 2 * this.#forgotten > this.#indexed) this.#restart();
    if (this.#pending.size === 0) return;
    for (const number of this.#pending) {
      this.#indexed++;
      for (const hash of this.#modules.get(number)!.exports.nameHashes()) this.#enter(hash, number);
    }
    this.#pending.clear();
  }

  #restart(): void {
    this.#byHash = new Map();
    this.#pending = new Set(this.#modules.keys());
    this.#indexed = 0;
    this.#forgotten = 0;
  }

  #enter(hash: number, number: number): void {
    const numbers = this.#byHash.get(hash);
    if (numbers === undefined) {
      this.#byHash.set(hash, [number]);
      return;
    }
    // Nearly always the newest comes last.
    let at = numbers.length;
    while (at > 0 && numbers[at - 1] > number) at--;
    if (numbers[at - 1] !== number) numbers.splice(at, 0, number);
  }
}
