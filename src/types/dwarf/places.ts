/**
 * Where a section of debug information holds addresses that are looked for, so that entries without any are passed.
 */

/** Offsets in a section, in order, of which some have been passed. */
export interface Places {
  /** Whether the next place lies before an offset. */
  isBefore(offset: number): boolean;
  /** Passes those that lie before an offset. */
  moveTo(offset: number): void;
}

/** Places that are known. */
export class PlaceList implements Places {
  readonly #places: readonly number[];
  #next = 0;

  constructor(places: readonly number[], start: number) {
    this.#places = places;
    this.moveTo(start);
  }

  isBefore(offset: number): boolean {
    return this.#places[this.#next] < offset;
  }

  moveTo(offset: number): void {
    while (this.#places[this.#next] < offset) this.#next++;
  }
}

/** For addresses that are indexes into a table: each entry may have one. */
export const EVERYWHERE: Places = { isBefore: () => true, moveTo: () => {} };
