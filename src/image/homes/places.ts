/**
 * The homes of one version: which home a symbol or an offset belongs to, and which variables are in it.
 */

import { type PlannedFile, variablesOf } from "../compatibility.ts";
import { SymbolType } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";
import { ClassTables } from "./class_tables.ts";
import { type Home, homeIndexAt } from "../../smf/homes.ts";

/** A file with its homes. */
export interface HousedFile extends PlannedFile {
  /** The homes, in the order of their offsets; absent if it has none. */
  readonly homes?: readonly Home[] | undefined;
}

const known = new WeakMap<SmfFile, HomePlaces>();

/** The homes of one version. */
export class HomePlaces {
  readonly homes: readonly Home[];
  readonly #file: HousedFile;
  readonly #bySymbol: ReadonlyMap<number, number>;
  #variables: readonly (readonly number[])[] | undefined;

  private constructor(file: HousedFile) {
    this.#file = file;
    this.homes = file.homes ?? [];
    this.#bySymbol = new Map(this.homes.map(({ symbol }, index) => [symbol, index]));
  }

  /** The homes of a file, found out once. */
  static of(housed: HousedFile): HomePlaces {
    let places = known.get(housed.file);
    if (places === undefined) known.set(housed.file, places = new HomePlaces(housed));
    return places;
  }

  /** The home that contains an offset of the file's image; -1 if none does. */
  at(offset: number): number {
    return homeIndexAt(this.homes, offset);
  }

  /** The home that a symbol stands for or lies in; -1 if that is none. The addend of a relocation does not matter. */
  ofSymbol(symbol: number): number {
    const own = this.#bySymbol.get(symbol);
    if (own !== undefined) return own;
    const { symbols } = this.#file.file;
    if (symbols.type(symbol) === SymbolType.Function || !symbols.isDefined(symbol)) return -1;
    return this.at(symbols.value(symbol));
  }

  /** Whether a home holds tables of C++ classes, which are constants. */
  isTable(home: number): boolean {
    const { data } = this.#file.plan;
    const place = this.place(home);
    return place < data.offset || place >= data.offset + data.length;
  }

  /** The indices of the variables in each home, or of its tables of classes, in the order of their places. */
  get variables(): readonly (readonly number[])[] {
    if (this.#variables !== undefined) return this.#variables;
    const { symbols } = this.#file.file;
    const variables: number[][] = this.homes.map(() => []);
    for (const index of variablesOf(this.#file)) {
      const home = this.at(symbols.value(index));
      if (home >= 0) variables[home].push(index);
    }
    if (this.homes.some((_, home) => this.isTable(home))) {
      for (const tables of ClassTables.of(this.#file).byName.values()) {
        for (const { index, start } of tables) {
          const home = this.at(start);
          if (home >= 0 && this.isTable(home)) variables[home].push(index);
        }
      }
    }
    for (const each of variables) each.sort((left, right) => symbols.value(left) - symbols.value(right));
    return this.#variables = variables;
  }

  /** The offset of a home in the range. */
  place(home: number): number {
    return this.#file.plan.place(this.homes[home].offset, 0);
  }
}
