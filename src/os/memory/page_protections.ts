/**
 * What may be done with each page of some memory: stretches of equal
 * protection, of which there are few however many pages there are.
 */
import type { Protection } from "./contract.ts";

/** Offsets are in bytes from the beginning of the memory. */
export class PageProtections {
  /** Where each stretch ends; the last one with the memory. */
  #ends: number[];
  #protections: Protection[];

  constructor(size: number, protection: Protection) {
    this.#ends = [size];
    this.#protections = [protection];
  }

  /** Changes what may be done with the bytes from `start` up to `end`. */
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
  }

  /** Whether this is the protection of all bytes from `start` up to `end`. */
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
