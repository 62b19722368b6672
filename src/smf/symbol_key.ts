/**
 * A name to search for, in the form that symbol tables have: bytes and their hash.
 */

import { FNV_BASIS, FNV_PRIME, hashName } from "./hash.ts";
import { decodeUtf8 } from "./reader.ts";

/** The length up to which ASCII names use the key's own buffer. */
const BUFFER_SIZE = 1024;

const encoder = new TextEncoder();

/** The key of a search by name; reusable, so that searches do not allocate. */
export class SymbolKey {
  readonly #buffer: Uint8Array = new Uint8Array(BUFFER_SIZE);
  /** The name, which may be followed by bytes of an earlier one. */
  #bytes: Uint8Array = this.#buffer;
  #length = 0;
  /** Signed, because V8 allocates numbers of 2^31 and above. */
  #hash = 0;

  /** The FNV-1a of the name. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  /**
   * Sets the name.
   *
   * @returns whether a symbol can have it: false for names with a NUL or an unpaired surrogate.
   */
  set(name: string): boolean {
    return name.length <= BUFFER_SIZE && this.#setAscii(name) || this.#setUtf8(name);
  }

  /** The fast path: nearly every name is ASCII, where characters are bytes. */
  #setAscii(name: string): boolean {
    const bytes = this.#buffer, { length } = name;
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

  #setUtf8(name: string): boolean {
    if (name.includes("\0") || !name.isWellFormed()) return false;
    const bytes = encoder.encode(name);
    this.#bytes = bytes;
    this.#length = bytes.length;
    this.#hash = hashName(bytes) | 0;
    return true;
  }

  /** Returns the name as a string. Slow, for rare cases. */
  text(): string {
    return decodeUtf8(this.#bytes.subarray(0, this.#length))!;
  }

  /**
   * Compares the NUL-terminated name at `start` with the key, byte by byte.
   *
   * @returns 0 if they are equal, a negative number if the name is less than the key.
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
