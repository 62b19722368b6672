/**
 * A module's own table of homes: where the variables are, over all its versions. It outlives versions, so that a
 * rollback and a variable that comes back find the home.
 */

import { baseName } from "../../image/symbol_names.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import type { LoadedImage } from "../../load/loader.ts";

/** The place of one home. */
export interface HomePlace {
  /** The version whose memory it is, which stays mapped for as long as the module lives. */
  readonly owner: LoadedImage;
  /** The home's index in that version. */
  readonly index: number;
  readonly address: bigint;
  /** In bytes. */
  readonly size: number;
  /** The version, and its home, that has most in it: virtual tables grow. */
  readonly filled: { readonly version: LoadedImage; readonly index: number };
}

/** The bytes of a home of tables of C++ classes that are in use: spare slots follow. */
export function filledSize(image: LoadedImage, home: number): number {
  const places = HomePlaces.of(image), { symbols } = image.file;
  const { offset } = places.homes[home];
  return places.variables[home].reduce(
    (end, index) => Math.max(end, symbols.value(index) + symbols.size(index) - offset),
    0,
  );
}

/** Why homes of versions started anew when these took over, by their indices. */
export const freshHomes: WeakMap<LoadedImage, ReadonlyMap<number, string>> = new WeakMap();

/** The places of a module's homes. */
export class HomeTable {
  readonly #places: ReadonlyMap<bigint, HomePlace>;
  /** The versions that stay mapped together, oldest first. */
  readonly versions: readonly LoadedImage[];

  private constructor(places: ReadonlyMap<bigint, HomePlace>, versions: readonly LoadedImage[]) {
    this.#places = places;
    this.versions = versions;
  }

  /**
   * The table of a version that shares no home with others, or whose others do not count any more.
   *
   * @param versions The versions that stay mapped together.
   */
  static of(image: LoadedImage, versions: readonly LoadedImage[] = [image]): HomeTable {
    const places = new Map<bigint, HomePlace>();
    for (let index = 0; index < (image.homes?.length ?? 0); index++) {
      const address = homeAddress(image, index);
      places.set(address, newPlace(image, index, address));
    }
    return new HomeTable(places, versions);
  }

  /** The place at an address; undefined if the table has none there. */
  at(address: bigint): HomePlace | undefined {
    return this.#places.get(address);
  }

  /** All places. */
  places(): HomePlace[] {
    return [...this.#places.values()];
  }

  /** The places that a version does not use, by their owners, the newest version first. */
  unusedBy(image: LoadedImage): Map<LoadedImage, HomePlace[]> {
    const used = new Set(image.homes?.map((_, index) => homeAddress(image, index)));
    const unused = new Map<LoadedImage, HomePlace[]>();
    for (const owner of this.versions.toReversed()) unused.set(owner, []);
    for (const place of this.#places.values()) {
      if (!used.has(place.address)) unused.get(place.owner)?.push(place);
    }
    return unused;
  }

  /**
   * The table once a version serves: with its homes, and without those of others whose variables have names that
   * this version has elsewhere.
   *
   * @param addresses The addresses of its homes then, by their indices.
   */
  with(image: LoadedImage, addresses: readonly bigint[]): HomeTable {
    const places = new Map<bigint, HomePlace>();
    const names = new Set<string>();
    const used = new Set(addresses);
    const grown = new Map<bigint, number>();
    const own = HomePlaces.of(image);
    addresses.forEach((address, index) => {
      if (!this.#places.has(address)) {
        places.set(address, newPlace(image, index, address));
      } else if (own.isTable(index)) grown.set(address, index);
      for (const name of namesIn(image, own, index)) names.add(name);
    });
    const housed = new Map<LoadedImage, HomePlaces>();
    for (const [address, place] of this.#places) {
      if (!used.has(address)) {
        let theirs = housed.get(place.owner);
        if (theirs === undefined) housed.set(place.owner, theirs = HomePlaces.of(place.owner));
        if (namesIn(place.owner, theirs, place.index).some((name) => names.has(name))) continue;
      }
      const index = grown.get(address);
      const isFuller = index !== undefined &&
        filledSize(image, index) > filledSize(place.filled.version, place.filled.index);
      places.set(address, isFuller ? { ...place, filled: { version: image, index } } : place);
    }
    return new HomeTable(places, [...this.versions.filter((other) => other !== image), image]);
  }
}

function newPlace(owner: LoadedImage, index: number, address: bigint): HomePlace {
  return { owner, index, address, size: owner.homes![index].size, filled: { version: owner, index } };
}

function namesIn({ file: { symbols } }: LoadedImage, places: HomePlaces, home: number): string[] {
  return places.variables[home].map((index) => baseName(symbols.name(index)));
}

/** The address that a version's code has for one of its homes. */
export function homeAddress(image: LoadedImage, index: number): bigint {
  const { homeAddresses, homes, memory, plan } = image;
  return homeAddresses?.[index] ?? memory.address + BigInt(plan.place(homes![index].offset, 0));
}
