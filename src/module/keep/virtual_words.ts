/**
 * Changes virtual tables in place, so that objects of all versions have the functions of the one that serves, and
 * those that it appended.
 */

import { ClassTables, hasVirtuals } from "../../image/homes/class_tables.ts";
import { isPure } from "../../image/homes/compare_tables.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import { startCount } from "../../load/start.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { readAddress } from "../image_data.ts";
import { openConstants } from "../open_constants.ts";
import { filledSize, homeAddress, type HomePlace, type HomeTable } from "./table.ts";

const WORD = 8;

/** The words of the virtual tables in each version's memory as the version itself made them, by address. */
const ownWords = new WeakMap<LoadedImage, ReadonlyMap<number, number>>();
/** The words that all copies of a table in a version's memory have now, by their addresses there. */
const wordsInPlace = new WeakMap<LoadedImage, Map<number, number>>();

/** A change of virtual tables, ready to be made. */
export interface PreparedTables {
  /** Makes it. Cannot fail. */
  commit(): void;
  /** Protects constants again. */
  release(): void;
}

/**
 * Gets ready to change virtual tables in place; everything that can fail happens here.
 *
 * @param table The module's homes.
 * @param canonical The addresses that the candidate's words will have of its functions, by their symbols; 0 for others.
 * @throws {LoadError} `OutOfMemory` if constants cannot be made writable.
 */
export function prepareTables(
  table: HomeTable,
  previous: PlacedImage,
  candidate: PlacedImage,
  canonical: Float64Array,
): PreparedTables {
  // It serves, so that its words are those of trampolines, and nothing has changed the tables in its memory yet.
  if (!ownWords.has(previous)) ownWords.set(previous, wordsOf(previous));
  const own = ownWords.get(candidate) ?? wordsOf(candidate);
  const places = HomePlaces.of(candidate), base = Number(candidate.memory.address);
  const copies = new TableCopies(table);
  const changes = new Map<PlacedImage, ChangedWord[]>();
  const entered: (() => void)[] = [];
  for (const home of tableHomes(candidate)) {
    const place = table.at(homeAddress(candidate, home));
    if (place === undefined) continue;
    const now = wordsNow(place.owner), first = Number(place.address);
    for (const { at, isPure, symbol } of functionPlaces(candidate, home)) {
      const offset = at - places.homes[home].offset;
      // Objects of older versions keep the function that they had, but the candidate's own copy has none.
      if (isPure) {
        entered.push(() => now.delete(first + offset));
        continue;
      }
      const value = canonical[symbol ?? -1] || own.get(base + candidate.plan.place(at, WORD))!;
      if (now.get(first + offset) === value) continue;
      entered.push(() => now.set(first + offset, value));
      for (const { image, address } of copies.of(place)) {
        addChange(changes, image, { address: address + offset, value });
      }
    }
  }
  const opened = open(changes);
  return {
    commit() {
      opened.commit();
      for (const enter of entered) enter();
    },
    release: () => opened.release(),
  };
}

/**
 * Fills the slots of functions that a candidate appends with addresses of its code, so that it can call them on
 * objects of older versions before it serves. Nobody else uses these slots.
 *
 * @param kept The candidate's homes that are kept, with their places.
 * @returns what empties the slots again, as far as the system allows it.
 * @throws {LoadError} `OutOfMemory` if constants cannot be made writable.
 */
export function fillAppended(
  table: HomeTable,
  candidate: PlacedImage,
  kept: ReadonlyMap<number, HomePlace>,
): () => void {
  const copies = new TableCopies(table), places = HomePlaces.of(candidate);
  const words: (ChangedWord & { readonly image: PlacedImage })[] = [];
  for (const home of tableHomes(candidate)) {
    const place = kept.get(home);
    if (place === undefined) continue;
    const filled = filledSize(place.filled.version, place.filled.index),
      { offset, size } = places.homes[home];
    const bytes = bytesAt(candidate.memory.address + BigInt(places.place(home)), size);
    for (const { at } of functionPlaces(candidate, home)) {
      if (at - offset < filled) continue;
      const value = readAddress(bytes, at - offset);
      for (const { image, address } of copies.of(place)) {
        words.push({ image, address: address + at - offset, value });
      }
    }
  }
  const write = (valueOf: (word: ChangedWord) => number): void => {
    const changes = new Map<PlacedImage, ChangedWord[]>();
    for (const word of words) addChange(changes, word.image, { address: word.address, value: valueOf(word) });
    const opened = open(changes);
    opened.commit();
    opened.release();
  };
  write(({ value }) => value);
  return () => {
    try {
      write(() => 0);
    } catch {
      // Nobody calls through them before a version fills them again.
    }
  };
}

function addChange(changes: Map<PlacedImage, ChangedWord[]>, image: PlacedImage, word: ChangedWord): void {
  const known = changes.get(image);
  if (known === undefined) changes.set(image, [word]);
  else known.push(word);
}

/** The words that are in place in a version's memory. */
function wordsNow(owner: LoadedImage): Map<number, number> {
  let now = wordsInPlace.get(owner);
  if (now === undefined) {
    wordsInPlace.set(owner, now = new Map(ownWords.get(owner) ?? wordsOf(owner as PlacedImage)));
  }
  return now;
}

/** A copy of a table. */
export interface TableCopy {
  readonly image: PlacedImage;
  readonly address: number;
  /** In bytes, with the spare slots. */
  readonly size: number;
}

/** The copies of tables that objects may have: the one in place, and those that initialisers of versions have used. */
export class TableCopies {
  readonly #table: HomeTable;
  /** Found when they are first asked for: most modules have no tables, and there may be many versions. */
  #byAddress: ReadonlyMap<bigint, TableCopy[]> | undefined;

  constructor(table: HomeTable) {
    this.#table = table;
  }

  #find(): Map<bigint, TableCopy[]> {
    const byAddress = new Map<bigint, TableCopy[]>();
    for (const version of this.#table.versions as readonly PlacedImage[]) {
      const places = HomePlaces.of(version);
      if (places.tables.length === 0 || startCount(version) === 0) continue;
      for (const home of tableHomes(version)) {
        const address = Number(version.memory.address) + places.place(home);
        const copy = { image: version, address, size: places.homes[home].size };
        const shared = homeAddress(version, home), known = byAddress.get(shared);
        if (known === undefined) byAddress.set(shared, [copy]);
        else known.push(copy);
      }
    }
    return byAddress;
  }

  of({ owner, address, size }: HomePlace): TableCopy[] {
    this.#byAddress ??= this.#find();
    const copies = this.#byAddress.get(address) ?? [];
    const inPlace = { image: owner as PlacedImage, address: Number(address), size };
    return [inPlace, ...copies.filter(({ image }) => image !== owner)];
  }
}

/** The homes of a version that have virtual tables; found once for all versions with the same homes. */
function tableHomes(image: LoadedImage): readonly number[] {
  const places = HomePlaces.of(image), { symbols } = image.file;
  if (places.tables.length === 0) return [];
  const hasTable = (home: number): boolean =>
    places.variables[home].some((index) => hasVirtuals(symbols.name(index)));
  return places.shape.fact(() => places.tables.filter(hasTable), tableHomes);
}

/** A word that is a virtual function. */
interface FunctionPlace {
  /** Its offset in the file's image. */
  readonly at: number;
  /** Whether there is no function yet. */
  readonly isPure: boolean;
  /** The index of the function's symbol, if the file names it. */
  readonly symbol: number | undefined;
}

function functionPlaces(image: LoadedImage, home: number): FunctionPlace[] {
  const tables = ClassTables.of(image);
  const places = new Map<number, FunctionPlace>();
  for (const index of HomePlaces.of(image).variables[home]) {
    const { start, words, name } = tables.at(index)!;
    if (!hasVirtuals(name)) continue;
    for (const [at, word] of words) {
      if (word.kind !== "function") continue;
      places.set(start + at, { at: start + at, isPure: isPure(word), symbol: word.symbol });
    }
  }
  return [...places.values()];
}

function wordsOf(image: PlacedImage): Map<number, number> {
  const words = new Map<number, number>();
  const places = HomePlaces.of(image), { memory } = image;
  for (const home of tableHomes(image)) {
    const { offset, size } = places.homes[home];
    const address = memory.address + BigInt(places.place(home)), bytes = bytesAt(address, size);
    for (const { at } of functionPlaces(image, home)) {
      words.set(Number(address) + at - offset, readAddress(bytes, at - offset));
    }
  }
  return words;
}

interface ChangedWord {
  readonly address: number;
  readonly value: number;
}

/** Makes constants writable, not executable, where a word changes. */
function open(changes: ReadonlyMap<PlacedImage, readonly ChangedWord[]>): PreparedTables {
  using preparing = new DisposableStack();
  const stores: { readonly words: BigUint64Array; readonly value: bigint }[] = [];
  for (const [{ allocator, memory, plan: { rodata } }, words] of changes) {
    preparing.use(openConstants(allocator, memory, rodata));
    for (const { address, value } of words) {
      const { buffer, byteOffset } = bytesAt(BigInt(address), WORD);
      stores.push({ words: new BigUint64Array(buffer, byteOffset, 1), value: BigInt(value) });
    }
  }
  const prepared = preparing.move();
  return {
    commit() {
      // Threads call through these words meanwhile, and must see whole ones.
      for (const { words, value } of stores) Atomics.store(words, 0, value);
    },
    release: () => prepared.dispose(),
  };
}
