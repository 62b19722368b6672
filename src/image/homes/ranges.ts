/**
 * Ranges of numbers that do not overlap, and which of them a number is in.
 */

import { lastUpTo } from "../search.ts";
import type { HomePlaces } from "./places.ts";

/** From the first number up to but not including the end. */
export interface NumberRange {
  readonly first: number;
  readonly end: number;
}

/** Finds ranges by the numbers in them. */
export class Ranges<R extends NumberRange> {
  readonly #sorted: readonly R[];
  readonly #starts: Float64Array;

  constructor(ranges: readonly R[]) {
    this.#sorted = [...ranges].sort((left, right) => left.first - right.first);
    this.#starts = Float64Array.from(this.#sorted, ({ first }) => first);
  }

  /** The range from the first to the last number of all; empty without ranges. */
  get all(): NumberRange {
    return { first: this.#sorted[0]?.first ?? 0, end: this.#sorted.at(-1)?.end ?? 0 };
  }

  /** The range that contains a number; undefined if none does. */
  find(value: number): R | undefined {
    const found = this.#sorted[lastUpTo(this.#starts, value)];
    return found !== undefined && value < found.end ? found : undefined;
  }
}

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
