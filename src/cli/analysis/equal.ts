/** Compares bytes. */

/** Whether two arrays have the same bytes. */
export function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
