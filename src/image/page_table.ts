/**
 * Where offsets of a file's own image are in the range, for loops over many:
 * groups of sections begin at pages of that image, so a page says which group
 * it is, without a search and without a branch that would be guessed wrong.
 */

import type { PlacedGroup } from "./arrange.ts";
import { IMAGE_PAGE } from "../smf/offsets.ts";

/** `offset >>> PAGE_SHIFT` is an offset's page. */
export const PAGE_SHIFT: number = Math.log2(IMAGE_PAGE);

/**
 * For each page of a file's own image where its group ends, and behind all of
 * these for each page what to add. A place of `length` bytes at `offset` is
 * inside its group if the page is below `count` and `offset + length` not above
 * the end; so is the end of a group for what has no bytes.
 */
export class PlaceTable {
  /** How many pages there are. */
  readonly count: number;
  readonly words: Int32Array;

  constructor(groups: readonly PlacedGroup[]) {
    let end = 0;
    for (let index = 0; index < groups.length; index++) end = Math.max(end, groups[index].end);
    const count = (end >>> PAGE_SHIFT) + 1;
    const words = new Int32Array(2 * count);
    this.count = count;
    this.words = words;
    // Where a group ends with a page: of several the first, and only if no other begins there.
    for (let index = groups.length - 1; index >= 0; index--) {
      const { end, delta } = groups[index];
      words[end >>> PAGE_SHIFT] = end;
      words[count + (end >>> PAGE_SHIFT)] = delta;
    }
    for (let index = 0; index < groups.length; index++) {
      const { start, end, delta } = groups[index];
      if (start === end) continue;
      const first = start >>> PAGE_SHIFT, limit = ((end - 1) >>> PAGE_SHIFT) + 1;
      words.fill(end, first, limit);
      words.fill(delta, count + first, count + limit);
    }
  }

  /** Where a symbol is in the range, by the halves of its value; -1 if the image has no such place. */
  ofSymbol(value: number, high: number): number {
    const { words, count } = this, page = value >>> PAGE_SHIFT;
    return high === 0 && page < count && value <= words[page] ? value + words[count + page] : -1;
  }
}
