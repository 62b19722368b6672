/**
 * The variables of a version's image as bytes, and the addresses among them.
 */

import type { Region } from "../image/arrange.ts";
import type { CodePiece } from "../image/code_references.ts";
import type { PlannedFile } from "../image/compatibility.ts";
import type { LoadedImage } from "../load/loader.ts";
import type { ExecutableMemory } from "../os/memory/allocator.ts";
import { bytesAt } from "../os/native_memory.ts";

const WORD = 8;
const HALF = 2 ** 32;

/** The data group of an image as one range: a view of each variable would cost more than copying it. */
export class ImageData {
  readonly #image: LoadedImage;
  /** The offset of the range in the image. */
  readonly #offset: number;
  readonly bytes: Uint8Array;
  /** The addresses of the whole image. */
  readonly addresses: AddressRange;

  /** The initial data, with addresses of the image's code in place of trampolines. */
  readonly #initialData: Uint8Array | undefined;

  /** @param isCopy Whether `bytes` are a copy, with addresses of the image's code in place of trampolines. */
  constructor(image: LoadedImage, isCopy = false) {
    const { memory, plan: { data: { offset } } } = image;
    this.#image = image;
    this.addresses = addressesOf(memory);
    this.#offset = offset;
    const bytes = dataOf(image);
    this.bytes = isCopy ? withCodeAddresses(image, bytes) : bytes;
    this.#initialData = image.initialData && withCodeAddresses(image, image.initialData);
  }

  /** The bytes at an image offset: of the data range, or a view of their own if a constant became a variable. */
  at(imageOffset: number, size: number): Uint8Array {
    const start = imageOffset - this.#offset;
    const isInside = start >= 0 && start + size <= this.bytes.length;
    if (isInside) return this.bytes.subarray(start, start + size);
    return bytesAt(this.#image.memory.address + BigInt(imageOffset), size);
  }

  /** The same bytes before any code of the module ran; undefined if nobody kept them. */
  initialAt(imageOffset: number, size: number): Uint8Array | undefined {
    const initialData = this.#initialData;
    const start = imageOffset - this.#offset;
    if (initialData === undefined || start < 0) return undefined;
    if (start + size <= initialData.length) return initialData.subarray(start, start + size);
    const bytes = new Uint8Array(size);
    bytes.set(initialData.subarray(start, start + size));
    return bytes;
  }
}

/** The offset of a symbol in its image. */
export function offsetOf({ file: { symbols }, plan }: PlannedFile, index: number): number {
  return plan.place(symbols.value(index), 0);
}

/** The code of an image, which no longer changes. */
export function codeOf({ memory, plan: { code: { offset, length } } }: LoadedImage): CodePiece[] {
  return length === 0 ? [] : [{ offset, bytes: bytesAt(memory.address + BigInt(offset), length) }];
}

/** A range of addresses, as numbers. */
export interface AddressRange {
  readonly first: number;
  readonly end: number;
}

/** The addresses of an image's memory. */
export function addressesOf({ address, size }: ExecutableMemory): AddressRange {
  return { first: Number(address), end: Number(address) + size };
}

/**
 * Calls `found` for every aligned word that is an address in a range.
 *
 * @param bytes Bytes whose place in the image is `place`, which says where words are aligned.
 */
export function forEachAddress(
  bytes: Uint8Array,
  place: number,
  range: AddressRange,
  found: (value: number, offset: number) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  forEachAddressIn(view, -place & (WORD - 1), bytes.length, range, found);
}

/** Like {@linkcode forEachAddress}, from a word at `start` up to but not including `end`. */
export function forEachAddressIn(
  view: DataView,
  start: number,
  end: number,
  range: AddressRange,
  found: (value: number, offset: number) => void,
): void {
  const lowest = Math.floor(range.first / HALF);
  const highest = Math.floor(range.end / HALF);
  for (let offset = start; offset + WORD <= end; offset += WORD) {
    // The high half rules most words out.
    const high = view.getUint32(offset + 4, true);
    if (high < lowest || high > highest) continue;
    const value = high * HALF + view.getUint32(offset, true);
    if (value >= range.first && value < range.end) found(value, offset);
  }
}

/** A copy of variables that holds addresses of the image's code in place of trampolines; the same bytes if there are none. */
function withCodeAddresses({ ownTrampolines }: LoadedImage, bytes: Uint8Array): Uint8Array {
  if (ownTrampolines === undefined || ownTrampolines.isEmpty) return bytes;
  const copy = bytes.slice();
  forEachAddress(bytes, 0, ownTrampolines, (value, offset) => {
    const address = ownTrampolines.codeOf(value);
    if (address !== undefined) writeAddress(copy, offset, address);
  });
  return copy;
}

/** Reads a word as an address; what is not an address may be rounded. */
export function readWord(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * HALF + view.getUint32(offset, true);
}

/** Writes an address into a word. */
export function writeWord(view: DataView, offset: number, address: number): void {
  view.setUint32(offset, address % HALF, true);
  view.setUint32(offset + 4, Math.floor(address / HALF), true);
}

/** Like {@linkcode readWord}, of bytes. */
export function readAddress(bytes: Uint8Array, offset: number): number {
  return readWord(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset);
}

/** Like {@linkcode writeWord}, into bytes. */
export function writeAddress(bytes: Uint8Array, offset: number, address: number): void {
  writeWord(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset, address);
}

/** Whether any word of an image's variables is an address in `memory`. */
export function holdsAddressIn(image: LoadedImage, memory: ExecutableMemory): boolean {
  let found = false;
  forEachAddress(dataOf(image), 0, addressesOf(memory), () => found = true);
  return found;
}

/** The addresses in an image's variables that are in a range, ascending. */
export function addressesIn(image: LoadedImage, range: AddressRange): Float64Array {
  const found: number[] = [];
  forEachAddress(dataOf(image), 0, range, (value) => found.push(value));
  return Float64Array.from(found).sort();
}

/** The data group of an image, not a copy. */
export function dataOf({ memory, plan: { data: { offset, length } } }: LoadedImage): Uint8Array {
  return length === 0 ? new Uint8Array() : bytesAt(memory.address + BigInt(offset), length);
}

/**
 * Saves the variables of an image; the result restores them.
 *
 * @param shared The places of variables that another version uses, in the order of their offsets in the range: they
 * are left alone.
 */
export function saveVariables(image: LoadedImage, shared: readonly Region[] = []): () => void {
  const saved = new ImageData(image).bytes.slice();
  const start = image.plan.data.offset;
  return () => {
    const { bytes } = new ImageData(image);
    let from = 0;
    for (const { offset, length } of shared) {
      bytes.set(saved.subarray(from, offset - start), from);
      from = offset - start + length;
    }
    bytes.set(saved.subarray(from), from);
  };
}
