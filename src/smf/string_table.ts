/**
 * Writes the string table of a file, each name once.
 */
import { FNV_BASIS, FNV_PRIME, hashName } from "./hash.ts";
import { grown } from "../types/growing.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The number of the empty name, which stands at offset 0. */
const EMPTY_NAME = 0;

/** Offsets are kept as Int32. */
const MOST_BYTES = 2 ** 31 - 2;

/** A string table that grows. It tells names apart by their bytes, so that most names need no string. */
export class StringTable {
  #bytes: Uint8Array = new Uint8Array(1024);
  #size = 1;
  /** The hashes of names, by number. */
  #hashes: Int32Array = new Int32Array(64);
  /** Where names start, by number; a NUL ends each. */
  #offsets: Int32Array = new Int32Array(64);
  #count = 1;
  /** The numbers of names, in an open hash table; 0 is a free slot. */
  #slots: Int32Array = new Int32Array(128);

  constructor() {
    this.#hashes[EMPTY_NAME] = FNV_BASIS | 0;
  }

  /** The table, with the empty name first. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** The offset of a name in the table. */
  offset(number: number): number {
    return this.#offsets[number];
  }

  /** Returns a name. */
  text(number: number): string {
    const start = this.#offsets[number];
    return decoder.decode(this.#bytes.subarray(start, this.#bytes.indexOf(0, start)));
  }

  /** The FNV-1a of a name. */
  hash(number: number): number {
    return this.#hashes[number] >>> 0;
  }

  /** Adds a name without a NUL, unless the table has it; returns its number. */
  add(name: string): number {
    if (name === "") return EMPTY_NAME;
    // A UTF-16 code unit takes at most three bytes of UTF-8.
    this.#makeRoom(name.length * 3);
    const { written } = encoder.encodeInto(name, this.#bytes.subarray(this.#size));
    return this.#enter(hashName(name) | 0, written);
  }

  /**
   * Adds the name at `[start, end)` of other bytes, as {@linkcode StringTable.add} does.
   *
   * @returns its number; -1 if it is not ASCII, and so may not be UTF-8.
   */
  addAscii(source: Uint8Array, start: number, end: number): number {
    if (start === end) return EMPTY_NAME;
    this.#makeRoom(end - start);
    const bytes = this.#bytes;
    let hash = FNV_BASIS, allBits = 0;
    for (let i = start, at = this.#size; i < end; i++, at++) {
      const byte = source[i];
      allBits |= byte;
      hash = Math.imul(hash ^ byte, FNV_PRIME);
      bytes[at] = byte;
    }
    return allBits < 0x80 ? this.#enter(hash | 0, end - start) : -1;
  }

  /** Makes room for a name and its NUL. */
  #makeRoom(length: number): void {
    if (this.#size + length > MOST_BYTES) {
      throw new RangeError(`Cannot write the names: they have more than ${MOST_BYTES} bytes`);
    }
    while (this.#size + length + 1 > this.#bytes.length) this.#bytes = grown(this.#bytes);
  }

  /** Takes the bytes behind the table in as a name, unless the table has it. */
  #enter(hash: number, length: number): number {
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const number = this.#slots[slot];
      if (this.#hashes[number] === hash && this.#isNext(this.#offsets[number], length)) return number;
    }
    const number = this.#count++;
    if (number === this.#hashes.length) {
      this.#hashes = grown(this.#hashes);
      this.#offsets = grown(this.#offsets);
    }
    this.#hashes[number] = hash;
    this.#offsets[number] = this.#size;
    this.#slots[slot] = number;
    this.#size += length;
    // A longer name that was known may have left its bytes here.
    this.#bytes[this.#size++] = 0;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    return number;
  }

  /** Whether the name at an offset is the one behind the table. */
  #isNext(offset: number, length: number): boolean {
    const bytes = this.#bytes, next = this.#size;
    for (let i = 0; i < length; i++) if (bytes[offset + i] !== bytes[next + i]) return false;
    return bytes[offset + length] === 0;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2), mask = slots.length - 1;
    for (let number = 1; number < this.#count; number++) {
      const hash = this.#hashes[number];
      let slot = (hash ^ (hash >>> 15)) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number;
    }
    this.#slots = slots;
  }
}
