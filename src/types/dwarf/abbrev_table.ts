/**
 * Tables of abbreviations. The objects of one module number theirs in other ways, but most of them are the same.
 */
import { damaged } from "../damaged.ts";
import { Abbreviation } from "./abbrev.ts";
import { Form } from "./constants.ts";
import { Cursor } from "./cursor.ts";

/** The abbreviations that the objects of one module have, each once. */
export class AbbreviationPool {
  /** Abbreviations by a hash of their bytes. */
  readonly #known: Map<number, { readonly bytes: Uint8Array; readonly abbreviation: Abbreviation }[]> =
    new Map();

  /** Reads the abbreviation between two offsets, without its code. */
  read(bytes: Uint8Array, at: number, end: number): Abbreviation {
    let hash = 0;
    for (let i = at; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
    let known = this.#known.get(hash);
    if (known === undefined) this.#known.set(hash, known = []);
    for (const one of known) if (isAt(one.bytes, bytes, at, end)) return one.abbreviation;
    const abbreviation = new Abbreviation(new Cursor(bytes, at));
    // A copy, which keeps no object alive.
    known.push({ bytes: bytes.slice(at, end), abbreviation });
    return abbreviation;
  }
}

function passAbbreviation(cursor: Cursor): void {
  cursor.uleb();
  cursor.u8();
  for (;;) {
    const attribute = cursor.uleb();
    const form = cursor.uleb();
    if (attribute === 0 && form === 0) return;
    if (form === Form.implicitConst) cursor.sleb();
  }
}

function isAt(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let i = 0; i < known.length; i++) if (known[i] !== bytes[start + i]) return false;
  return true;
}

/** The abbreviations of a table by their codes, which compilers count from 1. Each is read when it is needed. */
export class AbbreviationTable {
  /** The number of abbreviations. */
  readonly size: number;
  readonly #section: Uint8Array;
  readonly #pool: AbbreviationPool;
  /** Where the abbreviations are, and where each ends: two numbers for each code. */
  readonly #places: number[] = [0, 0];
  readonly #dense: (Abbreviation | undefined)[] = [undefined];
  readonly #others: Map<number, Abbreviation> = new Map();

  /** Passes the table at an offset of .debug_abbrev. */
  constructor(section: Uint8Array, offset: number, pool: AbbreviationPool) {
    this.#section = section;
    this.#pool = pool;
    const cursor = new Cursor(section, offset);
    let size = 0;
    for (;; size++) {
      const code = cursor.uleb();
      if (code === 0) break;
      const start = cursor.at;
      passAbbreviation(cursor);
      if (code < this.#dense.length || this.#others.has(code)) {
        throw damaged("two abbreviations have one code");
      }
      if (code === this.#dense.length) {
        this.#dense.push(undefined);
        this.#places.push(start, cursor.at);
      } else this.#others.set(code, pool.read(section, start, cursor.at));
    }
    this.size = size;
  }

  /** Finds an abbreviation. */
  get(code: number): Abbreviation | undefined {
    return this.#dense[code] ?? this.#read(code);
  }

  #read(code: number): Abbreviation | undefined {
    if (code === 0 || code >= this.#dense.length) return this.#others.get(code);
    const [start, end] = [this.#places[2 * code], this.#places[2 * code + 1]];
    return this.#dense[code] = this.#pool.read(this.#section, start, end);
  }
}
