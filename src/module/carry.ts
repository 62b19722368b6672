/**
 * Carrying the values of variables from one version of a module to the next.
 *
 * A variable is matched by name, size, type and version. A word in it that is
 * an address inside the old image becomes the address of the same symbol in the
 * new one; if there is no such symbol it is reported, and the old version stays.
 */

import { bytesAt } from "../os/native_memory.ts";
import { type PlannedFile, VersionPair } from "../image/compatibility.ts";
import type { LoadedImage } from "../load/loader.ts";
import type { ExecutableMemory } from "../os/memory/allocator.ts";
import { SymbolType } from "../smf/enums.ts";

/** A variable that starts anew, and why. */
export interface FreshVariable {
  /** The symbol's name. */
  readonly name: string;
  /** What did not match, for people. */
  readonly reason: string;
}

/** A word that still points into the old version. */
export interface OldPointer {
  /** The variable that holds it. */
  readonly name: string;
  /** Where in the variable, in bytes. */
  readonly offset: number;
  /** The address. */
  readonly value: bigint;
}

/** What became of the variables. */
export interface CarryReport {
  /** The names of variables whose values were carried over. */
  readonly carried: readonly string[];
  /** Variables of the new version that start with its own values. */
  readonly fresh: readonly FreshVariable[];
  /** Addresses that lead into the old version, which is kept for them. */
  readonly oldPointers: readonly OldPointer[];
}

const WORD = 8;
const HALF = 2 ** 32;

/** Copies what matches from `previous` to `candidate`. */
export function carryState(previous: LoadedImage, candidate: LoadedImage): CarryReport {
  const carried: string[] = [];
  const fresh: FreshVariable[] = [];
  const oldPointers: OldPointer[] = [];
  const pair = new VersionPair(previous, candidate);
  const variablesBefore = dataOf(previous);
  const variablesAfter = dataOf(candidate);
  const range = addressesOf(previous.memory);
  const translate = translator(pair, Number(candidate.memory.address));
  for (const { index, name, before, reason } of pair.variables()) {
    if (before === undefined) {
      fresh.push({ name, reason });
      continue;
    }
    const size = candidate.file.symbols.size(index);
    const from = placeOf(previous, before);
    const to = bytesOf(candidate, variablesAfter, placeOf(candidate, index), size);
    to.set(bytesOf(previous, variablesBefore, from, size));
    forAddresses(to, -from & (WORD - 1), range, (value, offset, view) => {
      const now = translate(value - range.first);
      if (now === undefined) oldPointers.push({ name, offset, value: BigInt(value) });
      else writeAddress(view, offset, now);
    });
    carried.push(name);
  }
  return { carried, fresh, oldPointers };
}

/** All variables of an image, as one range: a view of each would cost more than copying does. */
interface DataRange {
  /** In the image. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

function dataOf({ memory, plan: { data: { offset, length } } }: LoadedImage): DataRange {
  const bytes = length === 0 ? new Uint8Array() : bytesAt(memory.address + BigInt(offset), length);
  return { offset, bytes };
}

/** Some of them; what lies elsewhere, such as a constant that became a variable, by a view of its own. */
function bytesOf(
  { memory }: LoadedImage,
  { offset, bytes }: DataRange,
  place: number,
  size: number,
): Uint8Array {
  const start = place - offset;
  const isInside = start >= 0 && start + size <= bytes.length;
  return isInside ? bytes.subarray(start, start + size) : bytesAt(memory.address + BigInt(place), size);
}

/** Where a symbol lies in its image. */
function placeOf({ file: { symbols }, plan }: PlannedFile, index: number): number {
  return plan.place(symbols.value(index), 0);
}

/** A symbol of the old image. */
interface KnownSymbol {
  readonly start: number;
  readonly size: number;
  /** In the new version's symbol table. */
  readonly after: number | undefined;
}

/** Turns an offset in the old image into an address in the new one; undefined if that has no such symbol. */
type Translate = (offset: number) => number | undefined;

/** @param base Where the new image lies. No address is above 2^53 - 1. */
function translator({ previous, candidate, before, after }: VersionPair, base: number): Translate {
  let starts: readonly KnownSymbol[] | undefined;
  let exact: ReadonlyMap<number, number> | undefined;
  const { symbols } = candidate.file;
  const addressOf = (index: number): number => base + placeOf(candidate, index);
  return (offset) => {
    starts ??= [...before].map(([name, index]) => ({
      start: placeOf(previous, index),
      size: previous.file.symbols.size(index),
      after: after.get(name),
    }));
    exact ??= new Map(starts.flatMap(({ start, after }) => after === undefined ? [] : [[start, after]]));
    const known = exact.get(offset);
    if (known !== undefined) return addressOf(known);
    // Inside a function the code may have moved; inside a variable of the same size it has not.
    for (const { start, size, after } of starts) {
      if (after === undefined || offset < start || offset >= start + size) continue;
      if (symbols.type(after) !== SymbolType.Data || symbols.size(after) !== size) continue;
      return addressOf(after) + offset - start;
    }
    return undefined;
  };
}

/** The addresses of some memory, as numbers. */
interface AddressRange {
  readonly first: number;
  readonly end: number;
}

function addressesOf({ address, size }: ExecutableMemory): AddressRange {
  return { first: Number(address), end: Number(address) + size };
}

/**
 * Calls `found` for every word that is an address in a range.
 *
 * @param first Where the first aligned word is.
 */
function forAddresses(
  bytes: Uint8Array,
  first: number,
  range: AddressRange,
  found: (value: number, offset: number, view: DataView) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lowest = Math.floor(range.first / HALF);
  const highest = Math.floor(range.end / HALF);
  for (let offset = first; offset + WORD <= bytes.length; offset += WORD) {
    // Most words are no such address: the high half says so.
    const high = view.getUint32(offset + 4, true);
    if (high < lowest || high > highest) continue;
    const value = high * HALF + view.getUint32(offset, true);
    if (value >= range.first && value < range.end) found(value, offset, view);
  }
}

function writeAddress(view: DataView, offset: number, address: number): void {
  view.setUint32(offset, address % HALF, true);
  view.setUint32(offset + 4, Math.floor(address / HALF), true);
}

/** Whether a word of an image's variables is an address in other memory. */
export function holdsAddressIn(image: LoadedImage, memory: ExecutableMemory): boolean {
  let found = false;
  forAddresses(dataOf(image).bytes, 0, addressesOf(memory), () => found = true);
  return found;
}

/** Remembers the variables of an image; what it gives puts them back. */
export function saveVariables(image: LoadedImage): () => void {
  const saved = dataOf(image).bytes.slice();
  return () => dataOf(image).bytes.set(saved);
}
