/**
 * The two hashes of the format: FNV-1a of names, XXH32 of whole files.
 */

/** The FNV-1a of zero bytes. */
export const FNV_BASIS = 0x811c9dc5;
/** The factor by which FNV-1a multiplies after each byte. */
export const FNV_PRIME = 0x01000193;

const encoder = new TextEncoder();

/**
 * Computes the 32-bit FNV-1a of a name's UTF-8 bytes, as symbol tables store it.
 *
 * @param name The name, or its bytes without a NUL.
 * @returns a number in [0, 2³²).
 *
 * @example The hash of `main`
 * ```ts
 * import { hashName } from "@simple/loader/format";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(hashName("main"), 0xea90e208);
 * ```
 */
export function hashName(name: string | Uint8Array): number {
  if (typeof name !== "string") return fnv1a(name, 0, name.length);
  let h = FNV_BASIS;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    // Nearly every name is ASCII, where characters are bytes.
    if (code >= 0x80) {
      const bytes = encoder.encode(name);
      return fnv1a(bytes, 0, bytes.length);
    }
    h = Math.imul(h ^ code, FNV_PRIME);
  }
  return h >>> 0;
}

/** FNV-1a, 32 bits, over the bytes at `[start, end)`; a number in [0, 2³²). */
export function fnv1a(bytes: Uint8Array, start: number, end: number): number {
  let h = FNV_BASIS;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i], FNV_PRIME);
  return h >>> 0;
}

/** The result of one pass over a NUL-terminated name; reusable, so that loops do not allocate. */
export class NameScan {
  /** The number of bytes before the NUL. */
  length = 0;
  /** The FNV-1a of these bytes. */
  hash = 0;
  /** Whether all bytes are ASCII, and so need no check for UTF-8. */
  ascii = true;

  /**
   * Scans from `start` to the first NUL.
   *
   * @param limit The maximum length of a name in bytes.
   * @returns whether there is a NUL in `bytes` within the limit.
   */
  run(bytes: Uint8Array, start: number, limit: number): boolean {
    const end = Math.min(bytes.length, start + limit + 1);
    let h = FNV_BASIS;
    let allBits = 0;
    let i = start;
    for (; i < end; i++) {
      const byte = bytes[i];
      if (byte === 0) break;
      allBits |= byte;
      h = Math.imul(h ^ byte, FNV_PRIME);
    }
    this.length = i - start;
    this.hash = h >>> 0;
    this.ascii = allBits < 0x80;
    return i < end;
  }
}

const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;

function rotl(x: number, r: number): number {
  return (x << r) | (x >>> (32 - r));
}

/** Reads four bytes, little-endian. */
function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
}

/** The number of bytes that XXH32 consumes at once. */
const STRIPE = 16;
/** The length from which on reading through a `DataView` is faster than byte by byte, its allocation included. */
const DATA_VIEW_FROM = 512;

/** Computes XXH32 of bytes that come in pieces of any length (xxHash specification, "XXH32 algorithm description"). */
export class Xxh32 {
  #seed = 0;
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;
  #length = 0;
  /** The bytes since the last whole stripe. */
  readonly #pending = new Uint8Array(STRIPE);

  /**
   * Starts a hash.
   *
   * @param seed A 32-bit number.
   */
  constructor(seed = 0) {
    this.restart(seed);
  }

  /** Starts a new hash. */
  restart(seed = 0): this {
    this.#seed = seed | 0;
    this.#a = (seed + P1 + P2) | 0;
    this.#b = (seed + P2) | 0;
    this.#c = seed | 0;
    this.#d = (seed - P1) | 0;
    this.#length = 0;
    return this;
  }

  /** The number of bytes hashed so far. */
  get length(): number {
    return this.#length;
  }

  /** Hashes the next bytes. */
  update(bytes: Uint8Array): this {
    const { length } = bytes;
    const pending = this.#length & (STRIPE - 1);
    const head = pending === 0 ? 0 : Math.min(STRIPE - pending, length);
    this.#keep(bytes, 0, head);
    const end = head + ((length - head) & -STRIPE);
    if (end - head >= DATA_VIEW_FROM) {
      this.#stripes(new DataView(bytes.buffer, bytes.byteOffset, length), head, end);
    } else for (let at = head; at < end; at += STRIPE) this.#stripe(bytes, at);
    this.#length += end - head;
    this.#keep(bytes, end, length);
    return this;
  }

  /** Hashes a number as four bytes, little-endian. */
  updateWord(value: number): this {
    for (let shift = 0; shift < 32; shift += 8) wordBytes[shift >> 3] = value >>> shift;
    return this.update(wordBytes);
  }

  /** Returns the hash of the bytes so far, unsigned. */
  digest(): number {
    let h = this.#length >= STRIPE
      ? (rotl(this.#a, 1) + rotl(this.#b, 7) + rotl(this.#c, 12) + rotl(this.#d, 18)) | 0
      : (this.#seed + P5) | 0;
    h = (h + this.#length) | 0;
    const length = this.#length & (STRIPE - 1);
    const pending = this.#pending;
    let i = 0;
    for (; i + 4 <= length; i += 4) h = Math.imul(rotl((h + Math.imul(word(pending, i), P3)) | 0, 17), P4);
    for (; i < length; i++) h = Math.imul(rotl((h + Math.imul(pending[i], P5)) | 0, 11), P1);
    h = Math.imul(h ^ (h >>> 15), P2);
    h = Math.imul(h ^ (h >>> 13), P3);
    return (h ^ (h >>> 16)) >>> 0;
  }

  /** Keeps bytes that do not reach beyond the current stripe, and hashes the stripe when it is complete. */
  #keep(bytes: Uint8Array, start: number, end: number): void {
    let at = this.#length & (STRIPE - 1);
    for (let i = start; i < end; i++) this.#pending[at++] = bytes[i];
    this.#length += end - start;
    if (at === STRIPE) this.#stripe(this.#pending, 0);
  }

  #stripe(bytes: Uint8Array, at: number): void {
    this.#a = Math.imul(rotl((this.#a + Math.imul(word(bytes, at), P2)) | 0, 13), P1);
    this.#b = Math.imul(rotl((this.#b + Math.imul(word(bytes, at + 4), P2)) | 0, 13), P1);
    this.#c = Math.imul(rotl((this.#c + Math.imul(word(bytes, at + 8), P2)) | 0, 13), P1);
    this.#d = Math.imul(rotl((this.#d + Math.imul(word(bytes, at + 12), P2)) | 0, 13), P1);
  }

  /** Hashes whole stripes, when no bytes are pending. */
  #stripes(view: DataView, start: number, end: number): void {
    let a = this.#a, b = this.#b, c = this.#c, d = this.#d;
    for (let i = start; i < end; i += STRIPE) {
      a = Math.imul(rotl((a + Math.imul(view.getUint32(i, true), P2)) | 0, 13), P1);
      b = Math.imul(rotl((b + Math.imul(view.getUint32(i + 4, true), P2)) | 0, 13), P1);
      c = Math.imul(rotl((c + Math.imul(view.getUint32(i + 8, true), P2)) | 0, 13), P1);
      d = Math.imul(rotl((d + Math.imul(view.getUint32(i + 12, true), P2)) | 0, 13), P1);
    }
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
  }
}

/** The argument of {@linkcode Xxh32.updateWord}, as bytes. */
const wordBytes = new Uint8Array(4);

/** Reused by {@linkcode xxh32}: making another costs more than hashing a few bytes. */
const shared = new Xxh32();

/** Computes the XXH32 of `bytes`, unsigned. */
export function xxh32(bytes: Uint8Array, seed = 0): number {
  return shared.restart(seed).update(bytes).digest();
}
