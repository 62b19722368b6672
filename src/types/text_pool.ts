/**
 * The texts that the objects of one module have. Objects mention the same names again and again, so each text is
 * kept once, and has a number: equal texts have the same. A text becomes a string when it is asked for.
 */
import { damaged } from "./damaged.ts";
import { Growing } from "./growing.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Texts by number; 0 is the empty text. */
export class TextPool {
  /** All texts, each with NUL behind it. */
  #bytes = new Uint8Array(1 << 15);
  #length = 1;
  /** Where each text starts in `#bytes`. */
  readonly #starts: Growing = new Growing(0);
  readonly #hashes: Growing = new Growing(0);
  /** Numbers of texts by a hash of their bytes; 0 is free. At most half of it is in use. */
  #table = new Int32Array(4096);
  /** The strings of the first texts. */
  readonly #strings: string[] = [""];

  /**
   * Returns the number of the text that starts at an offset and ends with NUL.
   *
   * @param likely The number of a text that it probably is, or any other number.
   * @throws {LoadError} if it has no end.
   */
  read(bytes: Uint8Array, at: number, likely: number = 0): number {
    if (likely > 0 && this.#isWhole(likely, bytes, at)) return likely;
    let hash = 0;
    let end = at;
    for (; end < bytes.length && bytes[end] !== 0; end++) hash = Math.imul(hash ^ bytes[end], 0x01000193);
    if (end === bytes.length) throw damaged("a text has no end");
    if (end === at) return 0;
    const table = this.#table;
    const mask = table.length - 1;
    hash ^= hash >>> 15;
    let place = hash & mask;
    for (let number = table[place]; number !== 0; number = table[place = (place + 1) & mask]) {
      if (this.#isAt(this.#starts.values[number], bytes, at, end)) return number;
    }
    const number = table[place] = this.#add(bytes.subarray(at, end));
    this.#hashes.push(hash);
    if (2 * number > table.length) this.#grow();
    return number;
  }

  /** Returns the number of a text. */
  numberOf(text: string): number {
    return this.read(encoder.encode(`${text}\0`), 0);
  }

  /** Returns the length of a text in bytes. */
  lengthOf(number: number): number {
    const end = number + 1 < this.#starts.length ? this.#starts.values[number + 1] : this.#length;
    return end - this.#starts.values[number] - 1;
  }

  /** Returns a text by its number. */
  text(number: number): string {
    if (number >= this.#strings.length) this.#decode();
    return this.#strings[number];
  }

  /** Makes strings of all texts that are not yet: one call for all of them costs little more than one for one of them. */
  #decode(): void {
    const start = this.#starts.values[this.#strings.length];
    const texts = decoder.decode(this.#bytes.subarray(start, this.#length - 1)).split("\0");
    for (const text of texts) this.#strings.push(text);
  }

  #isWhole(number: number, bytes: Uint8Array, at: number): boolean {
    if (number >= this.#starts.length) return false;
    const own = this.#bytes;
    for (let i = this.#starts.values[number]; own[i] === bytes[at]; i++, at++) if (own[i] === 0) return true;
    return false;
  }

  #isAt(start: number, bytes: Uint8Array, at: number, end: number): boolean {
    const own = this.#bytes;
    for (let i = at; i < end; i++, start++) if (own[start] !== bytes[i]) return false;
    return own[start] === 0;
  }

  #add(bytes: Uint8Array): number {
    const number = this.#starts.push(this.#length);
    const length = this.#length + bytes.length + 1;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
    return number;
  }

  #grow(): void {
    const table = this.#table = new Int32Array(4 * this.#table.length);
    const mask = table.length - 1;
    const hashes = this.#hashes.values;
    for (let number = 1; number < this.#starts.length; number++) {
      let place = hashes[number] & mask;
      while (table[place] !== 0) place = (place + 1) & mask;
      table[place] = number;
    }
  }
}
