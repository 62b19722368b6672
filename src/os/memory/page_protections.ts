/**
 * The protection of each page of some memory, stored as stretches of equal
 * protection, of which there are few even in large memory.
 */
import { trimmed } from "../lazy_collections.ts";
import type { Protection } from "./contract.ts";

/** Records the protection of each page. Offsets are in bytes from the beginning of the memory. */
export class PageProtections {
  /** The end of each stretch; the last one ends with the memory. */
  #ends: number[];
  #protections: Protection[];

  constructor(size: number, protection: Protection) {
    this.#ends = [size];
    this.#protections = [protection];
  }

  /** Changes the protection of the bytes from `start` up to `end`. */
  set(start: number, end: number, protection: Protection): void {
    const [ends, protections] = [this.#ends, this.#protections];
    this.#ends = [];
    this.#protections = [];
    for (let index = 0, from = 0; index < ends.length; from = ends[index++]) {
      if (from < start) this.#append(Math.min(ends[index], start), protections[index]);
    }
    if (start < end) this.#append(end, protection);
    for (let index = 0; index < ends.length; index++) {
      if (ends[index] > end) this.#append(ends[index], protections[index]);
    }
    this.#ends = trimmed(this.#ends);
    this.#protections = trimmed(this.#protections);
  }

  /** Whether all bytes from `start` up to `end` have this protection. */
  are(start: number, end: number, protection: Protection): boolean {
    for (let index = 0, from = 0; index < this.#ends.length; from = this.#ends[index++]) {
      const isAsked = Math.max(from, start) < Math.min(this.#ends[index], end);
      if (isAsked && this.#protections[index] !== protection) return false;
    }
    return true;
  }

  #append(end: number, protection: Protection): void {
    const last = this.#ends.length - 1;
    if (last >= 0 && this.#protections[last] === protection) this.#ends[last] = end;
    else {
      this.#ends.push(end);
      this.#protections.push(protection);
    }
  }
}
