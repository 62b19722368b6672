/**
 * Carries the values of variables from one version of a module to the next.
 *
 * Variables match by name, size, type and version. A word in a variable that is
 * an address inside the old image becomes the address of the same symbol in the
 * new one; if the new one has no such symbol, the word is reported and the old
 * version stays.
 */

import { AddressMap } from "./address_map.ts";
import { bytesAt } from "../os/native_memory.ts";
import { type PlannedFile, VersionPair } from "../image/compatibility.ts";
import type { LoadedImage } from "../load/loader.ts";
import type { ExecutableMemory } from "../os/memory/allocator.ts";

/** A variable that starts with the new version's value, and the reason. */
export interface FreshVariable {
  /** The symbol's name. */
  readonly name: string;
  /** The mismatch, as a phrase for messages. */
  readonly reason: string;
}

/** A word that still points into the old version. */
export interface OldPointer {
  /** The variable that holds it. */
  readonly name: string;
  /** Its offset in the variable, in bytes. */
  readonly offset: number;
  /** The address. */
  readonly value: bigint;
}

/** The outcome of carrying variables. */
export interface CarryReport {
  /** The names of variables whose values were carried over. */
  readonly carried: readonly string[];
  /** Variables of the new version that start with its own values. */
  readonly fresh: readonly FreshVariable[];
  /** Addresses inside the old version, which is kept for them. */
  readonly oldPointers: readonly OldPointer[];
}

const WORD = 8;
const HALF = 2 ** 32;

/** Copies the variables that match from `previous` to `candidate`. */
export function carryState(previous: LoadedImage, candidate: LoadedImage): CarryReport {
  const carried: string[] = [];
  const fresh: FreshVariable[] = [];
  const oldPointers: OldPointer[] = [];
  const pair = new VersionPair(previous, candidate);
  const previousData = dataOf(previous);
  const candidateData = dataOf(candidate);
  const range = addressesOf(previous.memory);
  const map = new AddressMap(pair, Number(candidate.memory.address));
  for (const { index, name, before, reason } of pair.variables()) {
    if (before === undefined) {
      fresh.push({ name, reason });
      continue;
    }
    const size = candidate.file.symbols.size(index);
    const from = offsetOf(previous, before);
    const to = bytesOf(candidate, candidateData, offsetOf(candidate, index), size);
    to.set(bytesOf(previous, previousData, from, size));
    forEachAddress(to, -from & (WORD - 1), range, (value, offset, view) => {
      const translated = map.translate(value - range.first);
      if (translated === undefined) oldPointers.push({ name, offset, value: BigInt(value) });
      else writeAddress(view, offset, translated);
    });
    carried.push(name);
  }
  return { carried, fresh, oldPointers };
}

/** The data group of an image as one range: a view of each variable would cost more than copying it. */
interface DataRange {
  /** The offset of the range in the image. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

function dataOf({ memory, plan: { data: { offset, length } } }: LoadedImage): DataRange {
  const bytes = length === 0 ? new Uint8Array() : bytesAt(memory.address + BigInt(offset), length);
  return { offset, bytes };
}

/** The bytes at an image offset: of the data range, or a view of their own if a constant became a variable. */
function bytesOf(
  { memory }: LoadedImage,
  { offset, bytes }: DataRange,
  imageOffset: number,
  size: number,
): Uint8Array {
  const start = imageOffset - offset;
  const isInside = start >= 0 && start + size <= bytes.length;
  return isInside ? bytes.subarray(start, start + size) : bytesAt(memory.address + BigInt(imageOffset), size);
}

/** The offset of a symbol in its image. */
function offsetOf({ file: { symbols }, plan }: PlannedFile, index: number): number {
  return plan.place(symbols.value(index), 0);
}

/** A range of addresses, as numbers. */
interface AddressRange {
  readonly first: number;
  readonly end: number;
}

function addressesOf({ address, size }: ExecutableMemory): AddressRange {
  return { first: Number(address), end: Number(address) + size };
}

/**
 * Calls `found` for every aligned word that is an address in a range.
 *
 * @param first The offset of the first aligned word.
 */
function forEachAddress(
  bytes: Uint8Array,
  first: number,
  range: AddressRange,
  found: (value: number, offset: number, view: DataView) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lowest = Math.floor(range.first / HALF);
  const highest = Math.floor(range.end / HALF);
  for (let offset = first; offset + WORD <= bytes.length; offset += WORD) {
    // The high half rules most words out.
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

/** Whether any word of an image's variables is an address in `memory`. */
export function holdsAddressIn(image: LoadedImage, memory: ExecutableMemory): boolean {
  let found = false;
  forEachAddress(dataOf(image).bytes, 0, addressesOf(memory), () => found = true);
  return found;
}

/** Saves the variables of an image; the result restores them. */
export function saveVariables(image: LoadedImage): () => void {
  const saved = dataOf(image).bytes.slice();
  return () => dataOf(image).bytes.set(saved);
}
