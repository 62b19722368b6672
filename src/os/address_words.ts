/**
 * Addresses as words of 64 bits, made from numbers without a BigInt of each. Both processors are little-endian.
 */

import { Atomics } from "./intrinsics.ts";

/** Writes an address into a word that nobody reads meanwhile. `halves` are the words as halves. */
function storeAddress(halves: Uint32Array, index: number, address: number): void {
  halves[2 * index] = address;
  halves[2 * index + 1] = Math.floor(address / 2 ** 32);
}

/** Returns addresses as words. */
export function addressWords(addresses: ArrayLike<number>): BigUint64Array<ArrayBuffer> {
  const halves = new Uint32Array(2 * addresses.length);
  for (let index = 0; index < addresses.length; index++) storeAddress(halves, index, addresses[index]);
  return new BigUint64Array(halves.buffer);
}

/** Words in memory that threads read while addresses are stored in them. */
export class SharedWords {
  readonly #words: BigUint64Array<ArrayBuffer>;
  readonly #halves: Uint32Array<ArrayBuffer>;

  /** Works on the words themselves, not on a copy. */
  constructor(words: BigUint64Array<ArrayBuffer>) {
    this.#words = words;
    this.#halves = new Uint32Array(words.buffer, words.byteOffset, 2 * words.length);
  }

  /** Fills the first words, which nobody reads yet. */
  fill(addresses: ArrayLike<number>): void {
    for (let index = 0; index < addresses.length; index++) {
      storeAddress(this.#halves, index, addresses[index]);
    }
  }

  /** The address in a word. */
  at(index: number): number {
    return this.#halves[2 * index + 1] * 2 ** 32 + this.#halves[2 * index];
  }

  /** Stores an address so that every thread reads the old one or the new one. */
  store(index: number, address: number): void {
    // Most are as near to the old ones as that. A half is quicker, because it needs no BigInt.
    if (this.#halves[2 * index + 1] === Math.floor(address / 2 ** 32)) {
      Atomics.store(this.#halves, 2 * index, address >>> 0);
    } else {
      Atomics.store(this.#words, index, BigInt(address));
    }
  }
}
