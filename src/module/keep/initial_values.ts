/**
 * Compares the initial values of variables in two versions.
 */

import type { LoadedImage } from "../../load/loader.ts";
import type { OwnTrampolines } from "../../load/own_trampolines.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import { addressesOf, type AddressRange } from "../image_data.ts";
import type { HomePlan } from "./plan_model.ts";

/** The initial values of a candidate's homes, against those of the versions before it. */
export class InitialValues {
  readonly #candidate: LoadedImage;
  readonly #now: InitialBytes;
  readonly #others = new Map<LoadedImage, InitialBytes>();
  /** The versions whose initial bytes are the same throughout. */
  readonly #equal = new Set<LoadedImage>();

  constructor(candidate: LoadedImage) {
    this.#candidate = candidate;
    this.#now = new InitialBytes(candidate);
  }

  /** Whether a home that is kept has another one in the version that tells; words that are addresses in both are alike. */
  differs({ home, from, variables }: HomePlan): boolean {
    // Compilers put words without names into sections of variables, such as addresses of personality routines.
    if (variables.length === 0) return false;
    const [{ before }] = variables;
    const image = from!, old = HomePlaces.of(image), now = HomePlaces.of(this.#candidate);
    let other = this.#others.get(image);
    if (other === undefined) {
      other = new InitialBytes(image);
      this.#others.set(image, other);
      if (isMoved(old, now) && this.#now.isEqual(now.place(0), other, old.place(0))) this.#equal.add(image);
    }
    if (this.#equal.has(image)) return false;
    const source = old.shape === now.shape ? home : old.at(image.file.symbols.value(before));
    return !this.#now.isAlike(now.place(home), other, old.place(source), now.homes[home].size);
  }
}

/** Whether two versions have the same homes at the same places of their data. */
function isMoved(old: HomePlaces, now: HomePlaces): boolean {
  if (old.shape !== now.shape) return false;
  const { homes: before } = old, { homes: after } = now, distance = after[0].offset - before[0].offset;
  for (let home = 1; home < after.length; home++) {
    if (after[home].offset - before[home].offset !== distance) return false;
  }
  return true;
}

/** The initial bytes of an image's variables. */
class InitialBytes {
  readonly #bytes: Uint8Array | undefined;
  readonly #offset: number;
  readonly #addresses: AddressRange;
  readonly #trampolines: OwnTrampolines | undefined;

  constructor({ initialData, plan, memory, ownTrampolines }: LoadedImage) {
    this.#bytes = initialData;
    this.#offset = plan.data.offset;
    this.#addresses = addressesOf(memory);
    this.#trampolines = ownTrampolines;
  }

  /** Whether all of them, with a home at these places, are the same but for words that are addresses of the image itself in both. */
  isEqual(place: number, other: InitialBytes, otherPlace: number): boolean {
    if (place - this.#offset !== otherPlace - other.#offset) return false;
    const mine = this.#bytes, theirs = other.#bytes;
    if (mine === undefined || theirs === undefined || mine.length !== theirs.length) return false;
    if (mine.byteOffset % 8 !== 0 || theirs.byteOffset % 8 !== 0) return false;
    const count = mine.length >> 2;
    const [left, right] = [mine, theirs].map(({ buffer, byteOffset }) =>
      new Int32Array(buffer, byteOffset, count)
    );
    for (let index = 0; index < count; index++) {
      if (left[index] === right[index]) continue;
      const word = 4 * (index & ~1);
      if (!this.#isOwn(word) || !other.#isOwn(word)) return false;
      index |= 1;
    }
    for (let at = 4 * count; at < mine.length; at++) if (mine[at] !== theirs[at]) return false;
    return true;
  }

  /** Compares bytes at two places; those that nobody knows are alike. */
  isAlike(place: number, other: InitialBytes, otherPlace: number, size: number): boolean {
    const start = place - this.#offset, otherStart = otherPlace - other.#offset;
    const mine = this.#bytes, theirs = other.#bytes;
    if (mine === undefined || theirs === undefined || start < 0 || otherStart < 0) return true;
    for (let at = 0; at < size; at++) {
      // Behind the bytes that are kept there are zeros.
      if ((mine[start + at] ?? 0) === (theirs[otherStart + at] ?? 0)) continue;
      const word = at - at % 8;
      if (word + 8 > size || !this.#isOwn(start + word) || !other.#isOwn(otherStart + word)) return false;
      at = word + 7;
    }
    return true;
  }

  #isOwn(at: number): boolean {
    let value = 0;
    for (let byte = 7; byte >= 0; byte--) value = value * 0x100 + (this.#bytes![at + byte] ?? 0);
    const { first, end } = this.#addresses;
    return (value >= first && value < end) || this.#trampolines?.codeOf(value) !== undefined;
  }
}
