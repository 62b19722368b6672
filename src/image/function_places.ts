/**
 * The functions of a version by their places, sorted once.
 */

import { functionsOf, type PlannedFile } from "./compatibility.ts";
import { lastUpTo } from "../smf/search.ts";
import type { SmfFile } from "../smf/file.ts";

const known = new WeakMap<SmfFile, FunctionPlaces>();

/** Finds functions by offsets in the range. */
export class FunctionPlaces {
  /** The symbols' indices, in the order of their places; of several in one place the last in the table. */
  readonly #indices: Int32Array;
  readonly #starts: Float64Array;
  /** The highest end of the functions up to each. */
  readonly #reached: Float64Array;

  private constructor({ file, plan }: PlannedFile) {
    const { symbols } = file;
    const byPlace = new Map<number, number>();
    for (const index of functionsOf(file)) byPlace.set(plan.place(symbols.value(index), 0), index);
    this.#starts = Float64Array.from(byPlace.keys()).sort();
    this.#indices = Int32Array.from(this.#starts, (start) => byPlace.get(start)!);
    let end = 0;
    this.#reached = Float64Array.from(
      this.#starts,
      (start, at) => end = Math.max(end, start + symbols.size(this.#indices[at])),
    );
  }

  /** The functions of a version, found once. */
  static of(version: PlannedFile): FunctionPlaces {
    let places = known.get(version.file);
    if (places === undefined) known.set(version.file, places = new FunctionPlaces(version));
    return places;
  }

  /** The symbol of the function that starts at an offset; undefined if none does. */
  at(offset: number): number | undefined {
    const at = lastUpTo(this.#starts, offset);
    return this.#starts[at] === offset ? this.#indices[at] : undefined;
  }

  /** The symbol of a function that has an offset inside it, behind its first byte; undefined if one starts there. */
  around({ file: { symbols } }: PlannedFile, offset: number): number | undefined {
    let at = lastUpTo(this.#starts, offset);
    if (this.#starts[at] === offset) return undefined;
    for (; at >= 0 && this.#reached[at] > offset; at--) {
      if (offset < this.#starts[at] + symbols.size(this.#indices[at])) return this.#indices[at];
    }
    return undefined;
  }

  /** All symbols. */
  get all(): Iterable<number> {
    return this.#indices;
  }
}
