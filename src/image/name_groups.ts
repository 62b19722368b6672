/**
 * The names of a file's symbols, sorted out once: which of them are identities. Versions whose tables have the same
 * names share what follows from these.
 */

import { isAddress } from "./plan.ts";
import { baseName, isNumbered, isOwnBaseName } from "./symbol_names.ts";
import { SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";
import { NameTable } from "../smf/name_table.ts";
import { haveSameNames } from "../smf/same_names.ts";
import { SYMBOL_WORDS, type SymbolTable } from "../smf/symbol.ts";

const { nameOffset: NAME_OFFSET } = SYMBOL_WORDS;

const known = new WeakMap<SmfFile, NameGroups>();

const NONE: readonly number[] = [];

/** The defined symbols of a file by their base names. */
export class NameGroups {
  /** The groups that are no identity by their names alone. */
  readonly unclear: readonly (readonly number[])[];
  /** For each symbol its index plus one if its name is an identity, else 0. */
  readonly identities: Int32Array;
  /** Facts that others have found from these names. */
  readonly facts: Map<unknown, unknown> = new Map();
  readonly #symbols: SymbolTable;
  /** The symbols whose names are their own base names; each name once. Nearly all symbols are here alone. */
  readonly #plain: NameTable;
  /** All other groups, by base name, with indices in ascending order: names with numbers, and those of several symbols. */
  readonly #others: ReadonlyMap<string, readonly number[]>;

  private constructor(symbols: SymbolTable) {
    const identities = this.identities = new Int32Array(symbols.length);
    const others = new Map<string, number[]>(), unclear: (readonly number[])[] = [];
    this.#symbols = symbols;
    this.#plain = new NameTable(symbols);
    this.#others = others;
    this.unclear = unclear;
    this.#sort(others);
    for (const [base, group] of others) {
      const plain = this.#plain.find(base);
      if (plain >= 0 && !group.includes(plain)) group.push(plain);
      group.sort((left, right) => left - right);
      for (const index of group) identities[index] = 0;
      if (isIdentity(symbols, group)) identities[group[0]] = group[0] + 1;
      else unclear.push(group);
    }
  }

  /** Enters all symbols. Base names of others are still to be looked for among the plain ones. */
  #sort(others: Map<string, number[]>): void {
    const symbols = this.#symbols, identities = this.identities, { words, step, strings } = symbols;
    for (let index = 0; index < identities.length; index++) {
      if (!isAddress(symbols.type(index)) || !symbols.isDefined(index)) continue;
      let base: string | undefined;
      if (!isOwnBaseName(strings, words[index * step + NAME_OFFSET])) {
        const name = symbols.name(index), found = baseName(name);
        if (found !== name) base = found;
      }
      let first = -1;
      if (base === undefined) {
        first = this.#plain.add(index);
        if (first < 0) {
          identities[index] = index + 1;
          continue;
        }
        base = symbols.name(index);
      }
      const group = others.get(base);
      if (group !== undefined) group.push(index);
      else others.set(base, first < 0 ? [index] : [first, index]);
    }
  }

  /**
   * The names of a file, found once.
   *
   * @param like A file that probably has the same names: then both have the same object.
   */
  static of(file: SmfFile, like?: SmfFile): NameGroups {
    let names = known.get(file);
    if (names !== undefined) return names;
    const shared = like === undefined ? undefined : known.get(like);
    names = shared !== undefined && haveSameNames(file.symbols, like!.symbols)
      ? shared
      : new NameGroups(file.symbols);
    known.set(file, names);
    return names;
  }

  /** The names of a file if they were found already. */
  static known(file: SmfFile): NameGroups | undefined {
    return known.get(file);
  }

  /** The indices of the symbols with a base name, in ascending order. */
  group(base: string): readonly number[] {
    const others = this.#others.get(base);
    if (others !== undefined) return others;
    const plain = this.#plain.find(base);
    return plain < 0 ? NONE : [plain];
  }

  /**
   * Pairs each group with that of another file.
   *
   * @param pairPlain Called for two symbols that are alone and have the same name without a number.
   * @param pairGroups Called for all other groups of one base name.
   */
  pairWith(
    after: NameGroups,
    pairPlain: (before: number, after: number) => void,
    pairGroups: (before: readonly number[], after: readonly number[]) => void,
  ): void {
    const symbols = this.#symbols, identities = this.identities;
    for (let before = 0; before < identities.length; before++) {
      if (identities[before] === 0) continue;
      const is = after.#plain.findLike(symbols, before);
      if (is >= 0 && after.identities[is] !== 0) pairPlain(before, is);
      else if (after.#others.size > 0) this.#pairOther(before, after, pairGroups);
    }
    for (const [base, before] of this.#others) {
      const group = after.group(base);
      if (group.length > 0) pairGroups(before, group);
    }
  }

  #pairOther(
    before: number,
    after: NameGroups,
    pairGroups: (before: readonly number[], after: readonly number[]) => void,
  ): void {
    const name = this.#symbols.name(before);
    // Groups with numbers follow.
    if (this.#others.has(baseName(name))) return;
    const group = after.#others.get(name);
    if (group !== undefined) pairGroups([before], group);
  }

  /** Finds something from the names, once for all files that have them. */
  fact<T>(find: () => T, key: unknown): T {
    if (!this.facts.has(key)) this.facts.set(key, find());
    return this.facts.get(key) as T;
  }
}

function isIdentity(symbols: SymbolTable, group: readonly number[]): boolean {
  const [index] = group;
  return group.length === 1 &&
    (symbols.type(index) === SymbolType.Function || !isNumbered(symbols.name(index)));
}
