/**
 * The two hashes of the format: FNV-1a for names, XXH32 for whole files.
 */

/** The FNV-1a of nothing. */
export const FNV_BASIS = 0x811c9dc5;
/** What FNV-1a multiplies by after each byte. */
export const FNV_PRIME = 0x01000193;

const encoder = new TextEncoder();

/**
 * FNV-1a, 32 bits, over a name's UTF-8 bytes: what symbol tables store.
 *
 * @param name The name, or its bytes without a NUL.
 * @returns a number in [0, 2³²).
 *
 * @example The hash of every entry point
 * ```ts
 * import { hashName } from "@simple/loader";
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
    // Nearly every name is ASCII, whose letters are its bytes.
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

/** What one walk over a NUL-ended name finds; reused, so that loops do not allocate. */
export class NameScan {
  /** Bytes before the NUL. */
  length = 0;
  /** Their FNV-1a. */
  hash = 0;
  /** Whether all are ASCII, which is UTF-8 without further proof. */
  ascii = true;

  /**
   * Walks from `start` to the first NUL.
   *
   * @param limit The most bytes that a name may have.
   * @returns whether a NUL was found in `bytes`, within the limit.
   */
  run(bytes: Uint8Array, start: number, limit: number): boolean {
    const end = Math.min(bytes.length, start + limit + 1);
    let h = FNV_BASIS;
    let seen = 0;
    let i = start;
    for (; i < end; i++) {
      const byte = bytes[i];
      if (byte === 0) break;
      seen |= byte;
      h = Math.imul(h ^ byte, FNV_PRIME);
    }
    this.length = i - start;
    this.hash = h >>> 0;
    this.ascii = seen < 0x80;
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

/** Four bytes, little-endian. */
function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
}

/** Bytes that are taken together. */
const STRIPE = 16;
/** So many bytes are worth a view. */
const MANY = 512;

/** XXH32 in pieces of any length (xxHash specification, "XXH32 algorithm description"). */
export class Xxh32 {
  #seed = 0;
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;
  #length = 0;
  /** The bytes since the last whole stripe. */
  readonly #rest = new Uint8Array(STRIPE);

  /**
   * Starts with no bytes.
   *
   * @param seed 32 bits.
   */
  constructor(seed = 0) {
    this.restart(seed);
  }

  /** Forgets all bytes. */
  restart(seed = 0): this {
    this.#seed = seed | 0;
    this.#a = (seed + P1 + P2) | 0;
    this.#b = (seed + P2) | 0;
    this.#c = seed | 0;
    this.#d = (seed - P1) | 0;
    this.#length = 0;
    return this;
  }

  /** How many bytes went in. */
  get length(): number {
    return this.#length;
  }

  /** Takes the next bytes. */
  update(bytes: Uint8Array): this {
    const { length } = bytes;
    const begun = this.#length & (STRIPE - 1);
    const head = begun === 0 ? 0 : Math.min(STRIPE - begun, length);
    this.#keep(bytes, 0, head);
    const end = head + ((length - head) & -STRIPE);
    if (end - head >= MANY) this.#stripes(new DataView(bytes.buffer, bytes.byteOffset, length), head, end);
    else for (let at = head; at < end; at += STRIPE) this.#stripe(bytes, at);
    this.#length += end - head;
    this.#keep(bytes, end, length);
    return this;
  }

  /** Takes a number as four bytes, little-endian. */
  updateWord(value: number): this {
    for (let shift = 0; shift < 32; shift += 8) WORD[shift >> 3] = value >>> shift;
    return this.update(WORD);
  }

  /** The hash of what went in so far, unsigned. */
  digest(): number {
    let h = this.#length >= STRIPE
      ? (rotl(this.#a, 1) + rotl(this.#b, 7) + rotl(this.#c, 12) + rotl(this.#d, 18)) | 0
      : (this.#seed + P5) | 0;
    h = (h + this.#length) | 0;
    const held = this.#length & (STRIPE - 1);
    const rest = this.#rest;
    let i = 0;
    for (; i + 4 <= held; i += 4) h = Math.imul(rotl((h + Math.imul(word(rest, i), P3)) | 0, 17), P4);
    for (; i < held; i++) h = Math.imul(rotl((h + Math.imul(rest[i], P5)) | 0, 11), P1);
    h = Math.imul(h ^ (h >>> 15), P2);
    h = Math.imul(h ^ (h >>> 13), P3);
    return (h ^ (h >>> 16)) >>> 0;
  }

  /** Takes bytes that end no later than the stripe that they begin in or go on with. */
  #keep(bytes: Uint8Array, start: number, end: number): void {
    let at = this.#length & (STRIPE - 1);
    for (let i = start; i < end; i++) this.#rest[at++] = bytes[i];
    this.#length += end - start;
    if (at === STRIPE) this.#stripe(this.#rest, 0);
  }

  #stripe(bytes: Uint8Array, at: number): void {
    this.#a = Math.imul(rotl((this.#a + Math.imul(word(bytes, at), P2)) | 0, 13), P1);
    this.#b = Math.imul(rotl((this.#b + Math.imul(word(bytes, at + 4), P2)) | 0, 13), P1);
    this.#c = Math.imul(rotl((this.#c + Math.imul(word(bytes, at + 8), P2)) | 0, 13), P1);
    this.#d = Math.imul(rotl((this.#d + Math.imul(word(bytes, at + 12), P2)) | 0, 13), P1);
  }

  /** Takes many whole stripes, with none begun. */
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

/** For one number. */
const WORD = new Uint8Array(4);

/** For what is hashed at once: making another costs more than hashing little. */
const whole = new Xxh32();

/** XXH32 of all of `bytes`, unsigned. */
export function xxh32(bytes: Uint8Array, seed = 0): number {
  return whole.restart(seed).update(bytes).digest();
}
