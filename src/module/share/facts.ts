/**
 * The facts of a token as they are sealed: field by field, without asking the
 * values how they look as JSON, since a program can change that for all of them.
 */

import { bufferId } from "./words.ts";

/** Facts nest no deeper; a token that leads back to itself ends here. */
const MAX_DEPTH = 8;

/** A copy of facts, and what a seal covers: every name, type and value, and the bytes of every table. */
export class SealedFacts {
  /** Undefined if the facts hold something that no token holds, such as a function. */
  readonly copy: unknown;
  readonly tables: Uint8Array[] = [];
  #text = "";
  #isReadable = true;

  constructor(facts: unknown) {
    const copy = this.#read(facts, 0);
    this.copy = this.#isReadable ? copy : undefined;
  }

  get text(): string {
    return this.#text;
  }

  /** Reads each field once. Lengths stand before what has them, so that different facts never read the same. */
  #read(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case "string":
        this.#text += `s${value.length}:${value}`;
        return value;
      case "number":
      case "bigint":
      case "boolean":
      case "undefined":
        this.#text += `${typeof value} ${value};`;
        return value;
      case "object":
        if (value !== null && depth < MAX_DEPTH) return this.#readObject(value, depth);
    }
    this.#isReadable = false;
    return undefined;
  }

  #readObject(value: object, depth: number): unknown {
    if (value instanceof Uint8Array) {
      const bytes = new Uint8Array(value);
      this.tables.push(bytes);
      this.#text += `b${bytes.length};`;
      return bytes;
    }
    if (value instanceof SharedArrayBuffer) {
      this.#text += `w${value.byteLength} ${value.byteLength < 8 ? 0n : bufferId(value, 0)};`;
      return value;
    }
    if (Array.isArray(value)) {
      const items: unknown[] = [];
      const { length } = value;
      this.#text += `a${length};`;
      for (let index = 0; index < length && this.#isReadable; index++) {
        items[index] = this.#read(value[index], depth + 1);
      }
      return items;
    }
    // Without a prototype, no name of a field is more than a name.
    const copy: Record<string, unknown> = Object.create(null);
    const names = Object.keys(value);
    this.#text += `o${names.length};`;
    for (const name of names) {
      this.#text += `${name.length}:${name}`;
      copy[name] = this.#read((value as Record<string, unknown>)[name], depth + 1);
    }
    return copy;
  }
}
