/**
 * Reserves memory below an address. Chooses the hints by pure arithmetic.
 */
import type { Reserver } from "./near.ts";

/**
 * The lowest address: above the pages that systems keep free, so that null pointers fault
 * (vm.mmap_min_addr on Linux, 64 KiB on Windows), and out of reach of small offsets from null.
 */
const LOWEST = 1n << 20n;

/** The distance of hints. */
const STEP = 1n << 20n;

/**
 * Addresses to try, downward: from the one below `last`, the latest reservation, to the lowest, then from the
 * highest to `last`. A program that is not position-independent lies low, and its heap grows upward from there.
 */
export function* hintsBelow(
  below: bigint,
  length: number,
  granularity: bigint,
  last: bigint | undefined,
): Generator<bigint, void> {
  const highest = below - BigInt(length);
  const start = last === undefined ? highest : last - BigInt(length);
  for (const [from, to] of [[start, LOWEST], [highest, start > LOWEST ? start : LOWEST]]) {
    for (let hint = from & -granularity; hint >= to && hint <= highest; hint = (hint - STEP) & -granularity) {
      yield hint;
    }
    if (last === undefined) return;
  }
}

/**
 * Reserves address space that ends at `below` at the latest.
 *
 * @param last The latest such reservation, if there is one.
 * @returns `undefined` if there is no room.
 */
export function reserveBelow(
  below: bigint,
  length: number,
  granularity: bigint,
  last: bigint | undefined,
  { reserve, release }: Omit<Reserver, "accept">,
): bigint | undefined {
  for (const hint of hintsBelow(below, length, granularity, last)) {
    const base = reserve(hint);
    if (base === undefined) continue;
    if (base >= LOWEST && base + BigInt(length) <= below) return base;
    release(base);
  }
  return undefined;
}
