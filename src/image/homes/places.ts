/**
 * The homes of one version: which home a symbol or an offset belongs to, and which variables are in it.
 */

import { isInside } from "../arrange.ts";
import { HomeShape, type HousedFile } from "./shape.ts";
import { SymbolType } from "../../smf/enums.ts";
import type { SmfFile } from "../../smf/file.ts";
import { type Home, homeIndexAt } from "../../smf/homes.ts";

export type { HousedFile };

const known = new WeakMap<SmfFile, HomePlaces>();

/** The homes of one version. */
export class HomePlaces {
  readonly homes: readonly Home[];
  readonly #file: HousedFile;
  #shape: HomeShape | undefined;
  #tables: readonly number[] | undefined;
  #isTable: Uint8Array | undefined;

  private constructor(file: HousedFile) {
    this.#file = file;
    this.homes = file.homes ?? [];
  }

  /** The homes of a file, found out once. */
  static of(housed: HousedFile): HomePlaces {
    let places = known.get(housed.file);
    if (places === undefined) known.set(housed.file, places = new HomePlaces(housed));
    return places;
  }

  /** The offsets of the file's image from the first home to the end of the last; an empty range without homes. */
  get range(): { readonly first: number; readonly end: number } {
    const [home] = this.homes, last = this.homes.at(-1);
    return { first: home?.offset ?? 0, end: last === undefined ? 0 : last.offset + last.size };
  }

  /** The home that contains an offset of the file's image; -1 if none does. */
  at(offset: number): number {
    return homeIndexAt(this.homes, offset);
  }

  /** The home that a symbol stands for or lies in; -1 if that is none. The addend of a relocation does not matter. */
  ofSymbol(symbol: number): number {
    const { symbols } = this.#file.file;
    // Every version of the shape has the same.
    const own = this.shape.fact(() => this.#homesBySymbol(), HomePlaces);
    if (own[symbol] > 0) return own[symbol] - 1;
    if (symbols.type(symbol) === SymbolType.Function || !symbols.isDefined(symbol)) return -1;
    return this.at(symbols.value(symbol));
  }

  /** For each symbol the home that it stands for plus one. */
  #homesBySymbol(): Int32Array {
    const own = new Int32Array(this.#file.file.symbols.length);
    for (let home = 0; home < this.homes.length; home++) own[this.homes[home].symbol] = home + 1;
    return own;
  }

  /** Whether a home holds tables of C++ classes, which are constants. */
  isTable(home: number): boolean {
    return this.tables.length > 0 && this.#isTable![home] === 1;
  }

  /** The homes that hold tables of C++ classes. */
  get tables(): readonly number[] {
    return this.#tables ??= this.#findTables();
  }

  #findTables(): number[] {
    const { data } = this.#file.plan, isTable = this.#isTable = new Uint8Array(this.homes.length);
    const tables: number[] = [];
    for (let home = 0; home < isTable.length; home++) {
      if (isInside(data, this.place(home))) continue;
      isTable[home] = 1;
      tables.push(home);
    }
    return tables;
  }

  /** The facts that the version shares with others whose homes are the same. */
  get shape(): HomeShape {
    return this.#shape ??= HomeShape.of(this.#file, this.tables);
  }

  /** The indices of the variables in each home, or of its tables of classes, in the order of their places. */
  get variables(): readonly (readonly number[])[] {
    return this.shape.variables;
  }

  /**
   * Finds the shape.
   *
   * @param like A version that probably has the same.
   */
  shapeLike(like: HousedFile): HomeShape {
    return this.#shape ??= HomeShape.of(this.#file, this.tables, like);
  }

  /** The offset of a home in the range. */
  place(home: number): number {
    return this.#file.plan.place(this.homes[home].offset, 0);
  }
}
