/**
 * Numbers the names of symbols. Names are compared as bytes where they lie, so that the tens of
 * thousands of names in an archive's index cost no strings.
 */
import { fnv1a } from "../smf/hash.ts";
import { grown } from "../types/growing.ts";
import { decodeText } from "./elf/bytes.ts";

const encoder = new TextEncoder();

/** Maps names to dense numbers from 0, in order of first appearance. */
export class NameTable {
  #count = 0;
  #slots: Int32Array = new Int32Array(2048).fill(-1);
  #hashes: Int32Array = new Int32Array(1024);
  #starts: Int32Array = new Int32Array(1024);
  #ends: Int32Array = new Int32Array(1024);
  #sources: Uint8Array[] = [];

  /** How many names there are. */
  get length(): number {
    return this.#count;
  }

  /** Finds the slot that holds the name, or the free one where it belongs. */
  #locate(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = (hash ^ (hash >>> 15)) & mask;; slot = (slot + 1) & mask) {
      const id = this.#slots[slot];
      if (id === -1) return slot;
      if (this.#hashes[id] !== hash || this.#ends[id] - this.#starts[id] !== end - start) continue;
      const other = this.#sources[id];
      let at = this.#starts[id];
      let i = start;
      while (i < end && bytes[i] === other[at]) i++, at++;
      if (i === end) return slot;
    }
  }

  /** Returns the number of the name at `[start, end)`; an unseen name gets a new one. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    // Signed, as the table stores it.
    const hash = fnv1a(bytes, start, end) | 0;
    const slot = this.#locate(hash, bytes, start, end);
    if (this.#slots[slot] !== -1) return this.#slots[slot];
    const id = this.#count++;
    if (id === this.#hashes.length) {
      this.#hashes = grown(this.#hashes);
      this.#starts = grown(this.#starts);
      this.#ends = grown(this.#ends);
    }
    this.#hashes[id] = hash;
    this.#starts[id] = start;
    this.#ends[id] = end;
    this.#sources.push(bytes);
    this.#slots[slot] = id;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  /** Returns the number of a name; an unseen name gets a new one. */
  internText(name: string): number {
    const bytes = encoder.encode(name);
    return this.intern(bytes, 0, bytes.length);
  }

  /** Returns the number of a name, or -1 if it is unseen. */
  find(name: string): number {
    const bytes = encoder.encode(name);
    return this.#slots[this.#locate(fnv1a(bytes, 0, bytes.length) | 0, bytes, 0, bytes.length)];
  }

  /** Returns the name that has this number. */
  text(id: number): string {
    return decodeText(this.#sources[id], this.#starts[id], this.#ends[id]);
  }

  /** Whether the name of this number begins with the given ASCII text. */
  begins(id: number, text: string): boolean {
    const start = this.#starts[id], source = this.#sources[id];
    if (this.#ends[id] - start < text.length) return false;
    for (let i = 0; i < text.length; i++) if (source[start + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let id = 0; id < this.#count; id++) {
      const hash = this.#hashes[id];
      let slot = (hash ^ (hash >>> 15)) & mask;
      while (slots[slot] !== -1) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}
