/**
 * The values of homes in the memory of the versions that own them.
 */

import { bytesAt } from "../../os/native_memory.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { type AddressRange, forEachAddress } from "../image_data.ts";
import type { HomePlace } from "./table.ts";

/**
 * Reads homes: one view for all variables of a version, because a view of each takes longer than reading it.
 *
 * Safety: for immediate use only; the versions must stay mapped meanwhile.
 */
export class HomeValues {
  readonly #data = new Map<LoadedImage, Uint8Array>();

  /** The bytes of a home. */
  bytes({ owner, address, start: first, size }: HomePlace): Uint8Array {
    const { memory, plan: { data: { offset, length } } } = owner;
    const start = first - Number(memory.address) - offset;
    if (start < 0 || start + size > length) return bytesAt(address, size);
    let data = this.#data.get(owner);
    if (data === undefined) {
      this.#data.set(owner, data = bytesAt(memory.address + BigInt(offset), length));
    }
    return data.subarray(start, start + size);
  }

  /** Calls `found` for every aligned word of a home that is an address in a range. */
  forEachAddress(
    place: HomePlace,
    range: AddressRange,
    found: (value: number, offset: number) => void,
  ): void {
    if (place.size >= 8) forEachAddress(this.bytes(place), place.start % 8, range, found);
  }
}
