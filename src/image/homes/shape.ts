/**
 * The shape of a version's homes: what most reloads leave as it is, because they change the bodies of functions.
 * Versions of one shape share what follows from it, so that a reload does not find it out again.
 */

import { guardedName } from "../symbol_names.ts";
import { isInData, isThreadLocal, type PlannedFile, symbolsOfType, variablesOf } from "../compatibility.ts";
import { NameGroups } from "../name_groups.ts";
import { tableSymbols } from "./class_tables.ts";
import { SymbolType } from "../../smf/enums.ts";
import { equal } from "../../smf/equal.ts";
import type { SmfFile } from "../../smf/file.ts";
import { type Home, homeIndexAt } from "../../smf/homes.ts";

/** A file with its homes. */
export interface HousedFile extends PlannedFile {
  /** The homes, in the order of their offsets; absent if it has none. */
  readonly homes?: readonly Home[] | undefined;
}

/** Stands for a symbol that is in no home: a variable without one, another thing, and a thread-local variable. */
const HOMELESS = -1, ELSEWHERE = -2, THREAD_LOCAL = -3;

const known = new WeakMap<SmfFile, HomeShape>();

/** The homes of versions, as far as their places in memory do not matter. */
export class HomeShape {
  readonly names: NameGroups;
  /** The indices of the variables in each home, or of its tables of classes, in the order of their places. */
  readonly variables: readonly (readonly number[])[];
  /** The guard variables by the index of the variable that each guards. */
  readonly guards: ReadonlyMap<number, number>;
  /** The names of the variables that have no home, once each, and of those that are thread-local. */
  readonly homeless: { readonly plain: readonly string[]; readonly threadLocal: readonly string[] };
  /** Facts that others have found from this shape. */
  readonly facts: Map<unknown, unknown> = new Map();
  /** For each symbol its home, or why it is in none. */
  readonly #homeOf: Int32Array;
  /** The symbols of data, ascending. */
  readonly #data: Int32Array;

  /** The homes that hold tables of classes. */
  readonly #tables: ReadonlySet<number>;

  private constructor(housed: HousedFile, tables: readonly number[]) {
    const { file: { symbols }, homes = [] } = housed;
    this.names = NameGroups.of(housed.file);
    const homeOf = this.#homeOf = new Int32Array(symbols.length).fill(ELSEWHERE);
    const variables: number[][] = homes.map(() => []);
    const plain: string[] = [];
    for (const index of variablesOf(housed)) {
      const home = homeOf[index] = homeIndexAt(homes, symbols.value(index));
      if (home >= 0) variables[home].push(index);
      else plain.push(symbols.name(index));
    }
    this.#tables = new Set(tables);
    for (const index of this.#tableSymbols(housed)) {
      const home = this.#tableOf(housed, index);
      if (home >= 0) variables[home].push(index);
    }
    for (const each of variables) {
      if (each.length > 1) each.sort((left, right) => symbols.value(left) - symbols.value(right));
    }
    const names = new Set(plain), data = symbolsOfType(symbols, SymbolType.Data);
    const threadLocal: string[] = [];
    for (const index of data) {
      if (!isThreadLocal(housed, index)) continue;
      homeOf[index] = THREAD_LOCAL;
      const name = symbols.name(index);
      if (!names.has(name)) threadLocal.push(name);
      names.add(name);
    }
    this.variables = variables;
    this.guards = guardsIn(housed, variables);
    this.#data = Int32Array.from(data);
    this.homeless = { plain, threadLocal };
  }

  /**
   * The shape of a file's homes, found once.
   *
   * @param tables Its homes that hold tables of C++ classes.
   * @param like A version that probably has the same shape: then both have the same object.
   */
  static of(housed: HousedFile, tables: readonly number[], like?: HousedFile): HomeShape {
    let shape = known.get(housed.file);
    if (shape !== undefined) return shape;
    const other = like === undefined ? undefined : known.get(like.file);
    shape = other !== undefined && other.#fits(housed, tables, like!) ? other : new HomeShape(housed, tables);
    known.set(housed.file, shape);
    return shape;
  }

  /** Finds something from the shape, once for all versions that have it. */
  fact<T>(find: () => T, key: unknown): T {
    if (!this.facts.has(key)) this.facts.set(key, find());
    return this.facts.get(key) as T;
  }

  /** Whether a file has this shape, which is that of `like`. */
  #fits(housed: HousedFile, tables: readonly number[], like: HousedFile): boolean {
    const { homes = [], file: { symbols } } = housed,
      { homes: others = [], file: { symbols: theirs } } = like;
    if (NameGroups.of(housed.file, like.file) !== this.names || !sameHomes(homes, others)) return false;
    if (!equal(tables, [...this.#tables])) return false;
    for (const index of this.#tableSymbols(housed)) {
      const home = this.#tableOf(housed, index);
      if (symbols.size(index) !== theirs.size(index) || home !== this.#tableOf(like, index)) return false;
      if (home < 0) continue;
      const offset = symbols.value(index) - homes[home].offset;
      if (offset !== theirs.value(index) - others[home].offset) return false;
    }
    const homeOf = this.#homeOf;
    for (const index of this.#data) {
      if (symbols.size(index) !== theirs.size(index)) return false;
      const home = homeOf[index], value = symbols.value(index);
      if (home >= 0) {
        if (value - homes[home].offset !== theirs.value(index) - others[home].offset) return false;
      } else if (home === HOMELESS) {
        if (!isInData(housed, index) || homeIndexAt(homes, value) >= 0) return false;
      } else if ((home === THREAD_LOCAL) !== isThreadLocal(housed, index)) return false;
      // Data that a compiler makes is not a variable, wherever it is.
      else if (home === ELSEWHERE && isInData(housed, index) !== isInData(like, index)) return false;
    }
    return true;
  }

  /** The symbols with names of tables of classes, if any home holds one. */
  #tableSymbols({ file }: HousedFile): readonly number[] {
    return this.#tables.size === 0 ? [] : tableSymbols(file, this.names);
  }

  /** The home that holds a table of a class; -1 if none does. */
  #tableOf({ file: { symbols }, homes = [] }: HousedFile, index: number): number {
    const home = symbols.size(index) === 0 ? -1 : homeIndexAt(homes, symbols.value(index));
    return this.#tables.has(home) ? home : -1;
  }
}

function sameHomes(homes: readonly Home[], others: readonly Home[]): boolean {
  if (homes.length !== others.length) return false;
  for (let index = 0; index < homes.length; index++) {
    const home = homes[index], other = others[index];
    const isSame = home.symbol === other.symbol && home.size === other.size &&
      home.alignment === other.alignment;
    if (!isSame) return false;
  }
  return true;
}

function guardsIn({ file: { symbols } }: HousedFile, variables: HomeShape["variables"]): Map<number, number> {
  const guards: [string, number][] = [];
  for (const home of variables) {
    for (const index of home) {
      const guarded = guardedName(symbols.name(index));
      if (guarded !== undefined) guards.push([guarded, index]);
    }
  }
  const found = new Map<number, number>();
  if (guards.length === 0) return found;
  const byName = new Map<string, number>();
  for (const home of variables) for (const index of home) byName.set(symbols.name(index), index);
  for (const [name, guard] of guards) {
    const object = byName.get(name);
    if (object !== undefined) found.set(object, guard);
  }
  return found;
}
