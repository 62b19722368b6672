/**
 * The homes of a version by their places in memory.
 */

import { lastUpTo } from "../../smf/search.ts";
import type { HomePlaces } from "./places.ts";

/** Finds homes by their places in the image's own range. */
export class HomesInRange {
  /** The offset of each home. */
  readonly starts: Float64Array;
  readonly #places: HomePlaces;
  readonly #order: Uint32Array;
  readonly #sorted: Float64Array;

  constructor(places: HomePlaces) {
    const count = places.homes.length;
    const starts = this.starts = new Float64Array(count), order = this.#order = new Uint32Array(count);
    this.#places = places;
    let isAscending = true;
    for (let home = 0; home < count; home++) {
      starts[home] = places.place(home);
      order[home] = home;
      isAscending &&= home === 0 || starts[home - 1] < starts[home];
    }
    // Groups need not have the order that they have in the file.
    if (!isAscending) order.sort((left, right) => starts[left] - starts[right]);
    this.#sorted = isAscending ? starts : Float64Array.from(order, (home) => starts[home]);
  }

  /** The home that contains an offset in the range; -1 if none does. */
  at(offset: number): number {
    const found = lastUpTo(this.#sorted, offset);
    if (found < 0) return -1;
    const home = this.#order[found];
    return offset < this.starts[home] + this.#places.homes[home].size ? home : -1;
  }
}
