/**
 * Searches in sorted numbers, such as the places where things start.
 */

/** The position of the last number that is not above `value`; -1 if there is none. */
export function lastUpTo(sorted: Float64Array, value: number): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
