/**
 * Keeps the results of reading objects' debug information for later links.
 *
 * A layout changes the addresses in it. But a reader that looks for addresses only compares them: where the same words
 * are the same ones of these, it reads the same.
 */
import { RecordSize, SectionType } from "../os/elf.ts";
import { equal } from "../smf/equal.ts";
import { DEBUG_RELOCATIONS, hasAddress, SymbolValues, wordValue } from "./debug_relocations.ts";
import type { ElfObject } from "./elf/object.ts";
import type { LinkObject } from "./input.ts";
import type { Locator } from "./locate.ts";

/** The symbols of an object whose addresses a reader looks for. */
export class Wanted {
  /** Numbers from 0 for the distinct addresses, offsets in the image. */
  readonly addresses: Map<number, number> = new Map();
  /** All that decides what is looked for but the addresses: each symbol with its marks and the number of its address. */
  readonly list: number[] = [];

  add(symbol: number, address: number, mark = 0): void {
    let number = this.addresses.get(address);
    if (number === undefined) this.addresses.set(address, number = this.addresses.size);
    this.list.push(symbol, number, mark);
  }

  /** Returns what belongs to addresses by their numbers. */
  byNumber<Value>(values: ReadonlyMap<number, Value>): [number: number, value: Value][] {
    return [...values].map(([address, value]) => [this.addresses.get(address)!, value]);
  }

  /** Returns what belongs to numbers by their addresses. */
  byAddress<Value>(values: readonly (readonly [number: number, value: Value])[]): Map<number, Value> {
    const addresses = [...this.addresses.keys()];
    return new Map(values.map(([number, value]) => [addresses[number], value]));
  }
}

/** One reading of an object. */
interface Reading<Value> {
  readonly wanted: readonly number[];
  /** Which word of the debug information was which of the addresses. */
  readonly words: Int32Array;
  readonly value: Value;
}

/** How many readings of an object are kept: links with other options look for other addresses. */
const MOST_READINGS = 2;

/** Readings of objects. They must not have addresses in them, but their numbers. */
export class AddressReadings<Value> {
  readonly #known: WeakMap<ElfObject, readonly Reading<Value>[]> = new WeakMap();

  /** Finds a reading that would be made again, once all addresses are known. */
  find(object: LinkObject, wanted: Wanted, locator: Locator): Value | undefined {
    const known = this.#known.get(object.elf)?.filter((one) => equal(one.wanted, wanted.list)) ?? [];
    if (known.length === 0) return undefined;
    const words = matchAddresses(object, locator, wanted.addresses);
    return known.find((one) => equal(one.words, words))?.value;
  }

  /** Keeps a reading that holds for other layouts. */
  keep(object: LinkObject, wanted: Wanted, locator: Locator, value: Value): void {
    const words = matchAddresses(object, locator, wanted.addresses);
    const others = this.#known.get(object.elf) ?? [];
    const readings = [{ wanted: wanted.list, words, value }, ...others];
    this.#known.set(object.elf, readings.slice(0, MOST_READINGS));
  }
}

/** The sections in which readers of types and variables find addresses. */
const WITH_ADDRESSES = /^\.z?debug_(?:info|types|addr)$/;

/** Three numbers for each word: its symbol, and both halves of the addend. */
const RECORD = 3;

const known = new WeakMap<ElfObject, Int32Array>();

/** The addresses that the words of an object hold in its link. */
const addressesOf = new WeakMap<LinkObject, Float64Array>();

/**
 * Tells, for each word that holds an address, which one of some addresses it is.
 *
 * @param numbers Numbers from 0 by address.
 * @returns the numbers, -1 for another address.
 */
function matchAddresses(
  object: LinkObject,
  locator: Locator,
  numbers: ReadonlyMap<number, number>,
): Int32Array {
  let addresses = addressesOf.get(object);
  if (addresses === undefined) addressesOf.set(object, addresses = findAddresses(object, locator));
  const matches = new Int32Array(addresses.length);
  for (let index = 0; index < addresses.length; index++) matches[index] = numbers.get(addresses[index]) ?? -1;
  return matches;
}

function findAddresses(object: LinkObject, locator: Locator): Float64Array {
  const values = new SymbolValues(object, locator), words = wordsOf(object);
  const addresses = new Float64Array(words.length / RECORD);
  for (let index = 0, at = 0; at < words.length; index++, at += RECORD) {
    addresses[index] = wordValue(values.get(words[at]), words[at + 1] >>> 0, words[at + 2]);
  }
  return addresses;
}

function wordsOf(object: LinkObject): Int32Array {
  const { elf } = object;
  let words = known.get(elf);
  if (words === undefined) known.set(elf, words = Int32Array.from(findWords(object)));
  return words;
}

function findWords(object: LinkObject): number[] {
  const { sections, file: { view }, machine, symbols } = object.elf;
  const relocations = DEBUG_RELOCATIONS[machine];
  const words: number[] = [];
  for (const { type, info, offset, size } of sections) {
    if (type !== SectionType.RELA || !WITH_ADDRESSES.test(sections[info]?.name ?? "")) continue;
    for (let at = offset; at + RecordSize.RELA <= offset + size; at += RecordSize.RELA) {
      const symbol = view.getUint32(at + 12, true);
      if (!relocations.has(view.getUint32(at + 8, true))) continue;
      // Readers refuse a symbol that does not exist.
      if (symbol >= symbols.length || !hasAddress(object, symbol)) continue;
      words.push(symbol, view.getInt32(at + 16, true), view.getInt32(at + 20, true));
    }
  }
  return words;
}
