/**
 * Translates offsets in a file's own image to offsets in the range, for loops
 * over many. Groups of sections begin at pages of that image, so the page of an
 * offset gives the group, without a search and without a branch that would be
 * mispredicted.
 */

import type { PlacedGroup } from "./arrange.ts";
import { IMAGE_PAGE } from "../smf/offsets.ts";

/** `offset >>> PAGE_SHIFT` is the page of an offset. */
export const PAGE_SHIFT: number = Math.log2(IMAGE_PAGE);

/**
 * Has the end of the group for each page of a file's own image, then for each
 * page the difference to offsets in the range. A place of `length` bytes at
 * `offset` is inside its group if the page is below `count` and `offset + length`
 * is not above the end. For a place without bytes the end itself is inside.
 */
export class PageTable {
  /** The number of pages. */
  readonly count: number;
  readonly words: Int32Array;

  constructor(groups: readonly PlacedGroup[]) {
    let end = 0;
    for (let index = 0; index < groups.length; index++) end = Math.max(end, groups[index].end);
    const count = (end >>> PAGE_SHIFT) + 1;
    const words = new Int32Array(2 * count);
    this.count = count;
    this.words = words;
    // For a group that ends with a page. If several end there, the first counts, and none if another begins there.
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

  /** The place of an offset, which comes as halves; -1 if it is not in the image. The end of a group is in it. */
  place(offset: number, high: number): number {
    const { words, count } = this, page = offset >>> PAGE_SHIFT;
    return high === 0 && page < count && offset <= words[page] ? offset + words[count + page] : -1;
  }
}
