/**
 * The trampolines whose addresses a version's words hold in place of its own functions' ones, and where these are.
 */

import { addressWords } from "../os/address_words.ts";

/** The trampolines of one version's functions. */
export class OwnTrampolines {
  /** The addresses of the trampolines, and those of the functions' code, in the same order. */
  readonly trampolines: Float64Array;
  readonly codes: Float64Array;
  /** All trampolines are from `first` up to but not including `end`. */
  readonly first: number;
  readonly end: number;
  /** Made when somebody asks: hardly any word is such an address. */
  #codeByTrampoline: ReadonlyMap<number, number> | undefined;

  /** The arrays are not copied. */
  constructor(trampolines: Float64Array, codes: Float64Array) {
    this.trampolines = trampolines;
    this.codes = codes;
    let first = Infinity, end = 0;
    for (let index = 0; index < trampolines.length; index++) {
      first = Math.min(first, trampolines[index]);
      end = Math.max(end, trampolines[index] + 1);
    }
    this.first = first;
    this.end = end;
  }

  /** The number of trampolines. */
  get size(): number {
    return this.trampolines.length;
  }

  /** The address of the code that a trampoline is for; undefined for all other addresses. */
  codeOf(address: number): number | undefined {
    if (!(address >= this.first && address < this.end)) return undefined;
    const { trampolines, codes } = this;
    this.#codeByTrampoline ??= new Map(Array.from(trampolines, (each, index) => [each, codes[index]]));
    return this.#codeByTrampoline.get(address);
  }

  /** Pairs of both as words, by the addresses of the trampolines in ascending order. */
  pairs(): BigUint64Array<ArrayBuffer> {
    const { trampolines, codes } = this;
    const order = Uint32Array.from(trampolines, (_, index) => index);
    const isAscending = trampolines.every((each, index) => index === 0 || trampolines[index - 1] < each);
    if (!isAscending) order.sort((left, right) => trampolines[left] - trampolines[right]);
    const pairs = new Float64Array(2 * order.length);
    order.forEach((index, at) => {
      pairs[2 * at] = trampolines[index];
      pairs[2 * at + 1] = codes[index];
    });
    return addressWords(pairs);
  }
}
