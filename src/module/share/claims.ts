/**
 * The words by which isolates that live functions are shared with claim exports,
 * so that the owner knows which ones a new version may not lack.
 *
 * ```text
 * word       meaning
 * 0, 1       64 random bits, which tokens repeat
 * 2 + i      the slot with index i: FREE, CLAIMED or WITHDRAWN
 * ```
 *
 * Both changes lead away from FREE, by compare-and-exchange: either an isolate
 * claims an export for as long as the module lives, or a version without the
 * export takes over, never both.
 */

const ID_WORDS = 2;

const FREE = 0;
const CLAIMED = 1;
const WITHDRAWN = 2;

/** Makes the words for slots with indices below `count`. */
export function createClaims(count: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * (ID_WORDS + count));
  new Int32Array(buffer).set(crypto.getRandomValues(new Int32Array(ID_WORDS)));
  return buffer;
}

/** The number of slots that the words are for. */
export function claimCapacity(claims: SharedArrayBuffer): number {
  return claims.byteLength / Int32Array.BYTES_PER_ELEMENT - ID_WORDS;
}

/** Claims an export; false if a version without it has taken over. */
export function claimExport(claims: SharedArrayBuffer, index: number): boolean {
  return exchange(claims, index, FREE, CLAIMED) !== WITHDRAWN;
}

/** Whether an isolate has claimed an export. */
export function isClaimed(claims: SharedArrayBuffer, index: number): boolean {
  return Atomics.load(new Int32Array(claims), ID_WORDS + index) === CLAIMED;
}

/** Makes claims of an export fail from now on; false if it is claimed. */
export function withdrawExport(claims: SharedArrayBuffer, index: number): boolean {
  return exchange(claims, index, FREE, WITHDRAWN) !== CLAIMED;
}

/** Whether claims of an export fail. */
export function isWithdrawn(claims: SharedArrayBuffer, index: number): boolean {
  return Atomics.load(new Int32Array(claims), ID_WORDS + index) === WITHDRAWN;
}

/** Undoes a {@linkcode withdrawExport}. */
export function restoreExport(claims: SharedArrayBuffer, index: number): void {
  exchange(claims, index, WITHDRAWN, FREE);
}

function exchange(claims: SharedArrayBuffer, index: number, from: number, to: number): number {
  return Atomics.compareExchange(new Int32Array(claims), ID_WORDS + index, from, to);
}
