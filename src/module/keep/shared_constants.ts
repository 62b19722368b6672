/**
 * Stores the constants of a new version once that are as in the version before: the memory of both stays until the
 * module ends.
 *
 * What is shared are pages of equal bytes at the same distance from the first constant, each at the addresses of its
 * own version. So nothing has to be known of what the bytes mean: tables of distances to code that compilers make for
 * `switch` lead into the code of the version whose address they are read at.
 */

import { plainPages } from "../../image/plain_constants.ts";
import type { PlacedImage } from "../../load/loader.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { equalBytes } from "../../smf/equal.ts";

/** Fewer pages are not worth a mapping of their own, of which a process has a limited number. */
const FEWEST_PAGES = 4;

/**
 * Stores equal constants once, as far as the system can do that.
 *
 * @returns The bytes of memory that the candidate does not need because of that.
 */
export function shareConstants(previous: PlacedImage, candidate: PlacedImage): number {
  const { allocator, pageSize, plan: { rodata } } = candidate;
  if (previous.allocator !== allocator || allocator.share === undefined) return 0;
  if (Math.min(rodata.length, previous.plan.rodata.length) < FEWEST_PAGES * pageSize) return 0;
  let shared = 0;
  for (const { first, count } of equalStretches(previous, candidate)) {
    const offset = first * pageSize, length = count * pageSize;
    const before = previous.plan.rodata.offset + offset;
    try {
      if (allocator.share(candidate.memory, rodata.offset + offset, length, previous.memory, before)) {
        shared += length;
      }
    } catch {
      // They stay stored twice, as those that an earlier reload has left writable.
    }
  }
  return shared;
}

/** Pages of the constants. */
interface Stretch {
  readonly first: number;
  readonly count: number;
}

/** The stretches of plain pages that both versions have with the same bytes. */
function equalStretches(previous: PlacedImage, candidate: PlacedImage): Stretch[] {
  const { pageSize } = candidate;
  const plain = [previous, candidate].map((image) => plainPages(image, pageSize));
  const bytes = [previous, candidate].map(({ memory, plan: { rodata } }) =>
    bytesAt(memory.address + BigInt(rodata.offset), rodata.length)
  );
  const isEqual = (page: number): boolean => {
    if (!plain.every((pages) => pages[page] === 1)) return false;
    const [before, now] = bytes.map((all) => all.subarray(page * pageSize, (page + 1) * pageSize));
    return equalBytes(before, now);
  };
  const found: Stretch[] = [], end = Math.min(plain[0].length, plain[1].length);
  for (let page = 0, first = 0; page <= end; page++) {
    if (page < end && isEqual(page)) continue;
    if (page - first >= FEWEST_PAGES) found.push({ first, count: page - first });
    first = page + 1;
  }
  return found;
}
