/**
 * Ranges of numbers that do not overlap, and which of them a number is in.
 */

import { lastUpTo } from "../../smf/search.ts";

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
