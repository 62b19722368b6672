/**
 * A name that is looked for, in the form that symbol tables have names in:
 * bytes and their hash.
 */

import { FNV_BASIS, FNV_PRIME, hashName } from "./hash.ts";
import { decodeUtf8 } from "./reader.ts";

/** Names of so many letters at most need no buffer of their own. */
const ROOM = 1024;

const encoder = new TextEncoder();

/** What a search compares names with; reused, so that searches do not allocate. */
export class SearchKey {
  readonly #room: Uint8Array = new Uint8Array(ROOM);
  /** The name, and what an earlier one left behind it. */
  #bytes: Uint8Array = this.#room;
  #length = 0;
  /** Signed: what is above 2^31 would be an object. */
  #hash = 0;

  /** FNV-1a of the name. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  /**
   * Takes a name.
   *
   * @returns whether it can be anybody's: names end at a NUL and are UTF-8.
   */
  set(name: string): boolean {
    return name.length <= ROOM && this.#setAscii(name) || this.#setAny(name);
  }

  /** Nearly every name is ASCII, whose letters are its bytes. */
  #setAscii(name: string): boolean {
    const bytes = this.#room, { length } = name;
    let hash = FNV_BASIS;
    for (let i = 0; i < length; i++) {
      const code = name.charCodeAt(i);
      if (code - 1 >>> 0 >= 0x7f) return false;
      bytes[i] = code;
      hash = Math.imul(hash ^ code, FNV_PRIME);
    }
    this.#bytes = bytes;
    this.#length = length;
    this.#hash = hash | 0;
    return true;
  }

  #setAny(name: string): boolean {
    if (name.includes("\0") || !name.isWellFormed()) return false;
    const bytes = encoder.encode(name);
    this.#bytes = bytes;
    this.#length = bytes.length;
    this.#hash = hashName(bytes) | 0;
    return true;
  }

  /** The name again, as a text: for what is rare. */
  text(): string {
    return decodeUtf8(this.#bytes.subarray(0, this.#length))!;
  }

  /**
   * Compares the NUL-ended name at `start`, byte by byte.
   *
   * @returns 0 if it is the same, a negative number if it is less.
   */
  compare(strings: Uint8Array, start: number): number {
    const bytes = this.#bytes, length = this.#length;
    for (let i = 0; i < length; i++) {
      const difference = strings[start + i] - bytes[i];
      if (difference !== 0) return difference;
    }
    return strings[start + length];
  }
}
