/**
 * The types of objects, for later links: reading them takes more time than the rest of a link.
 */
import type { TypesPart } from "../types/collected.ts";
import { ModuleTypes, SharedTables } from "../types/dwarf/collect.ts";
import { LastMerge } from "../types/merge.ts";
import { MOST_TYPES } from "../types/dwarf/translate.ts";
import { AddressReadings, type Wanted } from "./address_readings.ts";
import type { LinkObject } from "./input.ts";
import type { Locator } from "./locate.ts";

/** The types of one object. */
interface ReadTypes {
  readonly part: TypesPart;
  /** The number of an address that was looked for, and that of its type in the part. */
  readonly typed: readonly (readonly [address: number, type: number])[];
}

/** How many types are read before the tables are made anew: so many times those of one link, and more. */
const MOST_GROWTH = 4, SPARE = 20_000;

/** The types of objects, and the tables that all of them share. */
export class TypeCache {
  #tables = new SharedTables();
  #lastMerge = new LastMerge();
  #readings = new AddressReadings<ReadTypes>();
  /** The number of types that were read since the tables are there, and of those that the last link has. */
  #read = 0;
  #used = 0;

  /**
   * Begins a link. Tables of texts and spellings only grow: once most of them are of objects that are gone, all
   * types are read again.
   */
  beginModule(): ModuleTypes {
    if (this.#read > MOST_GROWTH * this.#used + SPARE) {
      this.#tables = new SharedTables();
      this.#lastMerge = new LastMerge();
      this.#readings = new AddressReadings();
      this.#read = 0;
    }
    this.#used = 0;
    return new ModuleTypes(this.#tables);
  }

  /** The merged types of the last link. */
  get lastMerge(): LastMerge {
    return this.#lastMerge;
  }

  /**
   * Adds the types of an object as an earlier link has read them.
   *
   * @returns types by address; undefined if no link has.
   */
  find(
    object: LinkObject,
    wanted: Wanted,
    locator: Locator,
    { types }: ModuleTypes,
  ): Map<number, number> | undefined {
    const first = types.length;
    const found = this.#readings.find(object, wanted, locator);
    // Reading them says what is wrong with so many.
    if (found === undefined || first + found.part.kinds.length > MOST_TYPES) return undefined;
    types.append(found.part);
    this.#used += found.part.kinds.length;
    const typed = found.typed.map(([address, type]) => [address, type === 0 ? 0 : type + first - 1] as const);
    return wanted.byAddress(typed);
  }

  /**
   * Keeps the types of an object.
   *
   * @param dependsOnLayout Whether they hold for this link alone.
   * @param first The number of the first.
   * @param typed Types by address.
   */
  keep(
    object: LinkObject,
    wanted: Wanted,
    locator: Locator,
    dependsOnLayout: boolean,
    { types }: ModuleTypes,
    first: number,
    typed: ReadonlyMap<number, number>,
  ): void {
    this.#read += types.length - first;
    this.#used += types.length - first;
    if (dependsOnLayout) return;
    this.#readings.keep(object, wanted, locator, {
      part: types.takePart(first),
      typed: wanted.byNumber(typed).map(([address, type]) => [address, type === 0 ? 0 : type - first + 1]),
    });
  }
}
