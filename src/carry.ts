/**
 * Carrying the values of variables from one version of a module to the next.
 *
 * A variable is matched by name, size, type and version. A word in it that is
 * an address inside the old image becomes the address of the same symbol in the
 * new one; if there is no such symbol it is reported, and the old version stays.
 */

import { bytesAt } from "./call/statics.ts";
import { VersionPair } from "./compatibility.ts";
import { type LoadedImage, symbolAddress } from "./loader.ts";
import type { ExecutableMemory } from "./memory/allocator.ts";
import { SymbolType } from "./smf/enums.ts";

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

/** Copies what matches from `previous` to `candidate`. */
export function carryState(previous: LoadedImage, candidate: LoadedImage): CarryReport {
  const carried: string[] = [];
  const fresh: FreshVariable[] = [];
  const oldPointers: OldPointer[] = [];
  const pair = new VersionPair(previous, candidate);
  const variablesBefore = dataOf(previous);
  const variablesAfter = dataOf(candidate);
  const translate = translator(previous, candidate, pair.before, pair.after);
  for (const { index, name, before, reason } of pair.variables()) {
    if (before === undefined) {
      fresh.push({ name, reason });
      continue;
    }
    const size = candidate.file.symbols.size(index);
    const from = symbolAddress(previous, before);
    const to = bytesOf(variablesAfter, symbolAddress(candidate, index), size);
    to.set(bytesOf(variablesBefore, from, size));
    translateWords(
      to,
      from,
      previous.memory,
      translate,
      (offset, value) => oldPointers.push({ name, offset, value }),
    );
    carried.push(name);
  }
  return { carried, fresh, oldPointers };
}

/** All variables of an image, as one range: a view of each would cost more than copying does. */
interface DataRange {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

function dataOf({ memory, plan: { data } }: LoadedImage): DataRange {
  const address = memory.address + BigInt(data.offset);
  return { address, bytes: data.length === 0 ? new Uint8Array() : bytesAt(address, data.length) };
}

/** Some of them; what lies elsewhere, such as a constant that became a variable, by a view of its own. */
function bytesOf({ address, bytes }: DataRange, start: bigint, size: number): Uint8Array {
  const offset = Number(start - address);
  const isInside = offset >= 0 && offset + size <= bytes.length;
  return isInside ? bytes.subarray(offset, offset + size) : bytesAt(start, size);
}

/** A symbol of the old image. */
interface KnownSymbol {
  readonly start: bigint;
  readonly size: bigint;
  readonly name: string;
}

/** Turns an address in the old image into one in the new: undefined if it is in neither, null if only in the old. */
type Translate = (value: bigint) => bigint | null | undefined;

function translator(
  previous: LoadedImage,
  candidate: LoadedImage,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Translate {
  const first = previous.memory.address;
  const end = first + BigInt(previous.memory.size);
  let starts: readonly KnownSymbol[] | undefined;
  let exact: ReadonlyMap<bigint, KnownSymbol> | undefined;
  return (value) => {
    if (value < first || value >= end) return undefined;
    starts ??= [...before].map(([name, index]) => ({
      start: symbolAddress(previous, index),
      size: BigInt(previous.file.symbols.size(index)),
      name,
    }));
    exact ??= new Map(starts.filter(({ name }) => after.has(name)).map((known) => [known.start, known]));
    const known = exact.get(value);
    if (known !== undefined) return symbolAddress(candidate, after.get(known.name)!);
    // Inside a function the code may have moved; inside a variable of the same size it has not.
    for (const { start, size, name } of starts) {
      if (value < start || value >= start + size) continue;
      const index = after.get(name);
      const { symbols } = candidate.file;
      if (index === undefined || symbols.type(index) !== SymbolType.Data) continue;
      if (BigInt(symbols.size(index)) === size) return symbolAddress(candidate, index) + value - start;
    }
    return null;
  };
}

function translateWords(
  bytes: Uint8Array,
  address: bigint,
  { address: start, size }: ExecutableMemory,
  translate: Translate,
  keep: (offset: number, value: bigint) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lowest = Number(start >> 32n);
  const highest = Number((start + BigInt(size)) >> 32n);
  const first = Number(-address & BigInt(WORD - 1));
  for (let offset = first; offset + WORD <= bytes.length; offset += WORD) {
    // Most words are no such address: look at the high half before anything costly.
    const high = view.getUint32(offset + 4, true);
    if (high < lowest || high > highest) continue;
    const value = view.getBigUint64(offset, true);
    const now = translate(value);
    if (now === null) keep(offset, value);
    else if (now !== undefined) view.setBigUint64(offset, now, true);
  }
}

/** Whether a word of an image's variables is an address in other memory. */
export function holdsAddressIn(image: LoadedImage, memory: ExecutableMemory): boolean {
  const { bytes, address } = dataOf(image);
  const end = memory.address + BigInt(memory.size);
  let found = false;
  translateWords(bytes, address, memory, (value) => {
    found ||= value >= memory.address && value < end;
    return undefined;
  }, () => {});
  return found;
}

/** Remembers the variables of an image; what it gives puts them back. */
export function saveVariables(image: LoadedImage): () => void {
  const saved = dataOf(image).bytes.slice();
  return () => dataOf(image).bytes.set(saved);
}
