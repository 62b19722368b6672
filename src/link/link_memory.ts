/**
 * Keeps the results of reading objects for later links of the same bytes.
 */
import { equalBytes } from "../smf/equal.ts";
import { AddressReadings } from "./address_readings.ts";
import type { ElfObject } from "./elf/object.ts";
import { readObject } from "./object_file.ts";
import { TypeCache } from "./type_cache.ts";
import type { SourceCache } from "./variable_sources.ts";

/** An object that was read. */
interface ReadObject {
  /** The bytes of the file. They are the cache's own, because a caller may change its own between two links. */
  readonly bytes: Uint8Array;
  readonly object: ElfObject;
  /** The number of the last link that used it. */
  link: number;
}

/** Objects that no longer fit are read again by each link. What is read of small ones takes four times their size. */
const MOST_BYTES = 64 * 2 ** 20;

/** An object is kept while one of so many links has used it: a change that is undone finds the object of before. */
const LINKS = 3;

/** The objects of some links that follow each other, and what was read of their debug information. */
export class LinkMemory {
  /** The types of objects. */
  readonly types: TypeCache = new TypeCache();
  /** The places of variables in the source texts of objects. */
  readonly sources: SourceCache = new AddressReadings();
  readonly #objects = new Map<string, ReadObject[]>();
  readonly #most: number;
  #link = 0;
  #size = 0;

  /** @param most The most bytes of objects. */
  constructor(most: number = MOST_BYTES) {
    this.#most = most;
  }

  /** The bytes of all objects. */
  get size(): number {
    return this.#size;
  }

  /** Begins a link, and forgets the objects that the last links did not use. */
  beginLink(): void {
    this.#link++;
    for (const [name, known] of this.#objects) {
      const used = known.filter(({ link }) => link > this.#link - LINKS);
      if (used.length === known.length) continue;
      for (const one of known) if (!used.includes(one)) this.#size -= one.bytes.length;
      if (used.length === 0) this.#objects.delete(name);
      else this.#objects.set(name, used);
    }
  }

  /** Reads an object as {@linkcode readObject} does, unless it is known. */
  readonly read: typeof readObject = (name, bytes, partial) => {
    // Those are members of libraries so large that they would not fit.
    if (partial !== undefined) return readObject(name, bytes, partial);
    const known = this.#objects.get(name) ?? [];
    // A link that has an object twice gets two: it tells them apart.
    const found = known.find((one) => one.link !== this.#link && equalBytes(one.bytes, bytes));
    if (found !== undefined) {
      found.link = this.#link;
      return found.object;
    }
    if (this.#size + bytes.length > this.#most) return readObject(name, bytes);
    const own = bytes.slice();
    const object = readObject(name, own);
    this.#objects.set(name, [...known, { bytes: own, object, link: this.#link }]);
    this.#size += own.length;
    return object;
  };
}
