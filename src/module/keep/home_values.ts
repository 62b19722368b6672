/**
 * The values of homes in the memory of the versions that own them.
 */

import { bytesAt } from "../../os/native_memory.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { type AddressRange, dataOf, forEachAddress, forEachAddressIn } from "../image_data.ts";
import type { HomePlace } from "./table.ts";

const WORD = 8;

/** The variables of a version. */
interface OwnedData {
  readonly view: DataView;
  /** The address of the first byte. */
  readonly first: number;
}

/**
 * Reads homes: one view for all variables of a version, because a view of each takes longer than reading it.
 *
 * Safety: for immediate use only; the versions must stay mapped meanwhile.
 */
export class HomeValues {
  readonly #data = new Map<LoadedImage, OwnedData>();

  /**
   * Calls `found` for every aligned word of a home that is an address in a range.
   *
   * @param found Gets the offset of the word in the home.
   */
  forEachAddress(
    { owner, address, start, size }: HomePlace,
    range: AddressRange,
    found: (value: number, offset: number) => void,
  ): void {
    if (size < WORD) return;
    const { view, first } = this.#dataOf(owner), offset = start - first;
    // Tables of classes are constants.
    if (offset < 0 || offset + size > view.byteLength) {
      return forEachAddress(bytesAt(address, size), start % WORD, range, found);
    }
    const aligned = offset + (-start & (WORD - 1));
    forEachAddressIn(view, aligned, offset + size, range, (value, at) => found(value, at - offset));
  }

  #dataOf(owner: LoadedImage): OwnedData {
    let data = this.#data.get(owner);
    if (data === undefined) {
      const first = Number(owner.memory.address) + owner.plan.data.offset;
      this.#data.set(owner, data = { view: new DataView(dataOf(owner).buffer), first });
    }
    return data;
  }
}
