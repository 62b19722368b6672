/**
 * A module's own table of homes: where the variables are, over all its versions. It outlives versions, so that a
 * rollback and a variable that comes back find the home.
 */

import { isOfUnchangedObject, sourceNames, wholeNames } from "../../image/symbol_names.ts";
import { ClassTables } from "../../image/homes/class_tables.ts";
import { isPure } from "../../image/homes/compare_tables.ts";
import type { NumberRange } from "../../image/homes/ranges.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import type { LoadedImage } from "../../load/loader.ts";

/** The place of one home. */
export interface HomePlace {
  /** The version whose memory it is, which stays mapped for as long as the module lives. */
  readonly owner: LoadedImage;
  /** The home's index in that version. */
  readonly index: number;
  readonly address: bigint;
  /** The same as a number. */
  readonly start: number;
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
  /** By their addresses. */
  readonly #places: ReadonlyMap<number, HomePlace>;
  /** The version that serves, and the places of its homes by their indices. */
  readonly #current: { readonly image: LoadedImage; readonly places: readonly HomePlace[] };
  /** The versions that stay mapped together, oldest first. */
  readonly versions: readonly LoadedImage[];
  /** The smallest range of addresses that contains the code of all versions. */
  readonly codes: NumberRange;

  private constructor(
    places: ReadonlyMap<number, HomePlace>,
    { versions, codes }: Pick<HomeTable, "versions" | "codes">,
    image: LoadedImage,
    own: readonly HomePlace[],
  ) {
    this.#places = places;
    this.versions = versions;
    this.codes = codes;
    this.#current = { image, places: own };
  }

  /**
   * The table of a version that shares no home with others, or whose others do not count any more.
   *
   * @param versions The versions that stay mapped together.
   */
  static of(image: LoadedImage, versions: readonly LoadedImage[] = [image]): HomeTable {
    const own = (image.homes ?? []).map((_, index) => newPlace(image, index));
    return new HomeTable(
      new Map(own.map((place) => [place.start, place])),
      { versions, codes: versions.reduce(withCode, { first: Infinity, end: 0 }) },
      image,
      own,
    );
  }

  /** The place at an address; undefined if the table has none there. */
  at(address: bigint): HomePlace | undefined {
    return this.#places.get(Number(address));
  }

  /** The place of a version's home; undefined if it is not in the table. */
  placeOf(image: LoadedImage, index: number): HomePlace | undefined {
    const { image: current, places } = this.#current;
    return image === current ? places[index] : this.at(homeAddress(image, index));
  }

  /** All places. */
  places(): HomePlace[] {
    return [...this.#places.values()];
  }

  /** The number of places. */
  get size(): number {
    return this.#places.size;
  }

  /** The places that a version does not use, by their owners, the newest version first. */
  unusedBy(image: LoadedImage): Map<LoadedImage, HomePlace[]> {
    const unused = new Map<LoadedImage, HomePlace[]>();
    const used = new Set(image.homes?.map((_, index) => this.placeOf(image, index)));
    for (const owner of this.versions.toReversed()) unused.set(owner, []);
    for (const place of this.#places.values()) {
      if (!used.has(place)) unused.get(place.owner)?.push(place);
    }
    return unused;
  }

  /**
   * The table once a version serves: with its homes, and without those of others whose variables it has, or may
   * have, elsewhere.
   *
   * @param known The places of its homes that the table has.
   */
  with(image: LoadedImage, known?: readonly (HomePlace | undefined)[]): HomeTable {
    const own = HomePlaces.of(image);
    const all = {
      versions: [...this.versions.filter((other) => other !== image), image],
      codes: withCode(this.codes, image),
    };
    const found = own.homes.map((_, index) =>
      known?.[index] ?? this.at(homeAddress(image, index)) ?? newPlace(image, index)
    );
    const { image: current, places: before } = this.#current;
    // The names are those of the version that serves, and so were considered when it began to.
    const isSame = HomePlaces.of(current).shape === own.shape &&
      found.every((place, index) => place === before[index]);
    const fuller: [number, HomePlace][] = [];
    for (const index of own.tables) {
      const place = found[index];
      if (place.filled.version === image || !isFullerThan(place, image, index)) continue;
      found[index] = { ...place, filled: { version: image, index } };
      fuller.push([place.start, found[index]]);
    }
    if (isSame) {
      const places = fuller.length === 0 ? this.#places : new Map([...this.#places, ...fuller]);
      return new HomeTable(places, all, image, found);
    }
    const places = new Map<number, HomePlace>();
    const names = new VariableNames();
    for (const place of found) places.set(place.start, place);
    for (let home = 0; home < found.length; home++) {
      for (const name of namesIn(image, home)) names.add(name);
    }
    for (const [address, place] of this.#places) {
      if (places.has(address)) continue;
      if (namesIn(place.owner, place.index).some((name) => names.mayHave(name))) continue;
      places.set(address, place);
    }
    return new HomeTable(places, all, image, found);
  }
}

/** A range that contains the code of a version, too. */
function withCode({ first, end }: NumberRange, { memory, plan: { code } }: LoadedImage): NumberRange {
  const start = Number(memory.address) + code.offset;
  return { first: Math.min(first, start), end: Math.max(end, start + code.length) };
}

/** Whether a version's table tells all that the table in place has: a slot of a pure function tells nothing. */
function isFullerThan({ filled }: HomePlace, image: LoadedImage, home: number): boolean {
  const difference = filledSize(image, home) - filledSize(filled.version, filled.index);
  if (difference !== 0) return difference > 0;
  const tables = ClassTables.of(image);
  return HomePlaces.of(image).variables[home].every((index) =>
    [...tables.at(index)!.words.values()].every((word) => !isPure(word))
  );
}

function newPlace(owner: LoadedImage, index: number): HomePlace {
  const address = homeAddress(owner, index);
  const { size } = owner.homes![index], filled = { version: owner, index };
  return { owner, index, address, start: Number(address), size, filled };
}

function namesIn(image: LoadedImage, home: number): string[] {
  return HomePlaces.of(image).variables[home].map((index) => image.file.symbols.name(index));
}

/**
 * The names of variables. Nobody knows whose the names are that a compiler has numbered, nor in which of several
 * files those are that a module of one file has. A field that is stored by itself is its struct.
 */
class VariableNames {
  readonly #names: Set<string> = new Set();
  /** The names of which they may be fields, stored by themselves. */
  readonly #wholes: Set<string> = new Set();
  /** The names in the source text, of those whose file is known and of the others. */
  readonly #sourceNames = { known: new Set<string>(), unknown: new Set<string>() };

  add(name: string): void {
    this.#names.add(name);
    for (const whole of wholeNames(name)) this.#wholes.add(whole);
    const { known, unknown } = this.#sourceNames;
    const list = hasFile(name) ? known : unknown;
    for (const each of sourceNames(name)) list.add(each);
  }

  /** Whether one of them may be the variable that has this name in another version. */
  mayHave(name: string): boolean {
    if (this.#names.has(name) || this.#wholes.has(name)) return true;
    if (wholeNames(name).some((whole) => this.#names.has(whole))) return true;
    const { known, unknown } = this.#sourceNames;
    return sourceNames(name).some((each) => unknown.has(each) || !hasFile(name) && known.has(each));
  }
}

function hasFile(name: string): boolean {
  return name.includes("@") && !isOfUnchangedObject(name);
}

/** The address that a version's code has for one of its homes. */
export function homeAddress(image: LoadedImage, index: number): bigint {
  const { homeAddresses, homes, memory, plan } = image;
  return homeAddresses?.[index] ?? memory.address + BigInt(plan.place(homes![index].offset, 0));
}
