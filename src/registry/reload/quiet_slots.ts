/**
 * The slots of functions that nobody uses but the module itself, which may have thousands of them: numbers in place of
 * an object and a name for each. A slot that anybody asks for by its name wakes, and is an object from then on.
 *
 * All of them lead to functions of the same version, and the module holds their addresses.
 */

import { placeOfKey, SwitchedFunctions } from "../../module/function_keys.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import type { ModuleVersion } from "../../module/version.ts";
import { type Declarations, declarationsOf } from "./claims.ts";

const NOBODY = new Int32Array();

/** The slots of one module that are quiet. */
export class QuietSlots {
  /** The version that they lead into. */
  #target: Lifetime | undefined;
  #declared: Declarations | undefined;
  /** The symbols of their functions in that version, by the slots' indexes; -1 for slots that are not quiet. */
  #symbols: Int32Array = NOBODY;
  /** The same the other way round, for those that somebody asks for by their names. */
  #indexes: Int32Array | undefined;
  #functions: SwitchedFunctions | undefined;
  #count = 0;

  /** Whether there are any. */
  get exist(): boolean {
    return this.#count > 0;
  }

  /** The version that they lead into, and its declarations. */
  get leading(): { readonly target: Lifetime; readonly declared: Declarations } {
    return { target: this.#target!, declared: this.#declared! };
  }

  /** Whether any of them lead into a version. */
  leadInto(lifetime: Lifetime): boolean {
    return this.exist && this.#target === lifetime;
  }

  /**
   * Adds slots.
   *
   * @param version The version that they, and all others, lead into.
   * @param first The index of the first one; the others follow.
   * @param symbols The symbols of their functions, each once.
   */
  add(version: ModuleVersion, first: number, symbols: Int32Array): void {
    const all = new Int32Array(first + symbols.length).fill(-1);
    all.set(this.#symbols);
    all.set(symbols, first);
    this.#count += symbols.length;
    this.#set(version, all);
  }

  /**
   * Leads them into another version.
   *
   * @param symbols The symbols of the functions of all slots there, by the slots' indexes; all quiet ones have one.
   */
  lead(version: ModuleVersion, symbols: Int32Array): void {
    if (!this.exist) return;
    const before = this.#symbols;
    if (this.#areAt(symbols)) return this.#set(version, before, this.#indexes);
    this.#set(version, before.map((symbol, index) => symbol < 0 ? -1 : symbols[index]));
  }

  #set({ lifetime, image }: ModuleVersion, symbols: Int32Array, indexes?: Int32Array): void {
    this.#target = lifetime;
    this.#declared = declarationsOf(image);
    this.#functions = undefined;
    this.#symbols = symbols;
    this.#indexes = indexes;
  }

  #areAt(symbols: Int32Array): boolean {
    const quiet = this.#symbols;
    for (let index = 0; index < quiet.length; index++) {
      if (quiet[index] >= 0 && quiet[index] !== symbols[index]) return false;
    }
    return true;
  }

  /** Writes the indexes of slots by the symbols of their functions. */
  enterIndexes(bySymbol: Int32Array): void {
    const quiet = this.#symbols;
    for (let index = 0; index < quiet.length; index++) {
      if (quiet[index] >= 0) bySymbol[quiet[index]] = index;
    }
  }

  /**
   * Finds where they lead in another version.
   *
   * @param functions The functions of all slots there.
   * @param addresses Gets their addresses, by the slots' indexes.
   * @returns the indexes of those that it has no function for.
   */
  findTargets(
    functions: { readonly symbols: Int32Array; readonly addresses: Float64Array },
    addresses: Float64Array,
  ): number[] {
    const quiet = this.#symbols, missing: number[] = [];
    for (let index = 0; index < quiet.length; index++) {
      if (quiet[index] < 0) continue;
      if (functions.symbols[index] >= 0) addresses[index] = functions.addresses[index];
      else missing.push(index);
    }
    return missing;
  }

  /** The key of a slot's function; undefined if the slot is not quiet. */
  nameOf(index: number): string | undefined {
    const symbol = this.#symbols[index] ?? -1;
    if (symbol < 0) return undefined;
    return (this.#functions ??= new SwitchedFunctions(this.#declared!)).key(symbol);
  }

  /** The index of the slot of a function's key; -1 if there is none that is quiet. */
  indexOf(name: string): number {
    if (!this.exist) return -1;
    const place = placeOfKey(this.#declared!, name);
    if (place?.kind !== "function") return -1;
    if (this.#indexes === undefined) {
      this.#indexes = new Int32Array(this.#declared!.file.symbols.length).fill(-1);
      this.enterIndexes(this.#indexes);
    }
    // Another version may have more symbols, which are nobody's.
    return this.#indexes[place.index] ?? -1;
  }

  /** The indexes of all of them. */
  *indexes(): Iterable<number> {
    const quiet = this.#symbols;
    for (let index = 0; index < quiet.length; index++) if (quiet[index] >= 0) yield index;
  }

  /** Takes a slot out, which is an object from now on. */
  remove(index: number): void {
    const symbol = this.#symbols[index];
    this.#symbols[index] = -1;
    if (this.#indexes !== undefined) this.#indexes[symbol] = -1;
    if (--this.#count === 0) this.#symbols = NOBODY;
  }
}
