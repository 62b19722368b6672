/** Compares bytes and words. */

/** Whether two arrays have the same numbers. */
export function equal(left: ArrayLike<number>, right: ArrayLike<number>): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false;
  return true;
}

/** Whether two arrays have the same bytes, by words where their places in memory allow it. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  const { length } = left;
  if (length !== right.length) return false;
  let at = 0;
  if (length > 64 && left.byteOffset % 4 === 0 && right.byteOffset % 4 === 0) {
    const count = length >> 2;
    const [mine, theirs] = [left, right].map(({ buffer, byteOffset }) =>
      new Int32Array(buffer, byteOffset, count)
    );
    for (let index = 0; index < count; index++) if (mine[index] !== theirs[index]) return false;
    at = count * 4;
  }
  for (; at < length; at++) if (left[at] !== right[at]) return false;
  return true;
}
