/**
 * The types of objects, for later links: reading them takes more time than the rest of a link.
 */
import type { TypesPart } from "../types/collected.ts";
import { ModuleTypes, SharedTables } from "../types/dwarf/collect.ts";
import { MOST_TYPES } from "../types/dwarf/translate.ts";
import { AddressReadings, type Wanted } from "./address_readings.ts";
import type { SymbolValues } from "./debug_relocations.ts";
import type { LinkObject } from "./input.ts";

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
      this.#readings = new AddressReadings();
      this.#read = 0;
    }
    this.#used = 0;
    return new ModuleTypes(this.#tables);
  }

  /**
   * Adds the types of an object as an earlier link has read them.
   *
   * @returns types by address; undefined if no link has.
   */
  find(
    object: LinkObject,
    wanted: Wanted,
    values: SymbolValues,
    { types }: ModuleTypes,
  ): Map<number, number> | undefined {
    const first = types.length;
    const found = this.#readings.find(object, wanted, values);
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
   * @param first The number of the first.
   * @param typed Types by address.
   */
  keep(
    object: LinkObject,
    wanted: Wanted,
    values: SymbolValues,
    { types }: ModuleTypes,
    first: number,
    typed: ReadonlyMap<number, number>,
  ): void {
    this.#read += types.length - first;
    this.#used += types.length - first;
    this.#readings.keep(object, wanted, values, {
      part: types.partFrom(first),
      typed: wanted.byNumber(typed).map(([address, type]) => [address, type === 0 ? 0 : type - first + 1]),
    });
  }
}
