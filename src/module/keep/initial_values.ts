/**
 * Compares the initial values of variables in two versions.
 */

import type { LoadedImage } from "../../load/loader.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import { addressesOf, type AddressRange } from "../image_data.ts";
import type { HomePlan } from "./plan_model.ts";

/** The initial values of a candidate's homes, against those of the versions before it. */
export class InitialValues {
  readonly #candidate: LoadedImage;
  readonly #now: InitialBytes;
  readonly #others = new Map<LoadedImage, InitialBytes>();

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
    if (other === undefined) this.#others.set(image, other = new InitialBytes(image));
    const source = old.shape === now.shape ? home : old.at(image.file.symbols.value(before));
    return !this.#now.isAlike(now.place(home), other, old.place(source), now.homes[home].size);
  }
}

/** The initial bytes of an image's variables. */
class InitialBytes {
  readonly #bytes: Uint8Array | undefined;
  readonly #offset: number;
  readonly #addresses: AddressRange;
  readonly #trampolines: ReadonlyMap<number, number> | undefined;

  constructor({ initialData, plan, memory, ownTrampolines }: LoadedImage) {
    this.#bytes = initialData;
    this.#offset = plan.data.offset;
    this.#addresses = addressesOf(memory);
    this.#trampolines = ownTrampolines;
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
    return (value >= first && value < end) || this.#trampolines?.has(value) === true;
  }
}
