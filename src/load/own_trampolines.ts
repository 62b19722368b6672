/**
 * The trampolines whose addresses a version's words hold in place of its own functions' ones, and where these are.
 */

import { addressWords } from "../os/address_words.ts";

/** The trampolines of one version's functions. */
export class OwnTrampolines {
  readonly #canonical: Float64Array;
  readonly #codeOf: (symbol: number) => number;
  /** All trampolines are from `first` up to but not including `end`. */
  readonly first: number;
  readonly end: number;
  /** Made when somebody asks: hardly any word is such an address. */
  #codes: ReadonlyMap<number, number> | undefined;

  /**
   * @param canonical The addresses of trampolines, by the indexes of the functions' symbols; 0 for others. It is not
   * copied. Functions of the same trampoline have the same code.
   * @param codeOf Returns the address of a function's code.
   */
  constructor(canonical: Float64Array, codeOf: (symbol: number) => number) {
    this.#canonical = canonical;
    this.#codeOf = codeOf;
    let first = Infinity, end = 0;
    for (let symbol = 0; symbol < canonical.length; symbol++) {
      const trampoline = canonical[symbol];
      if (trampoline === 0) continue;
      if (trampoline < first) first = trampoline;
      if (trampoline >= end) end = trampoline + 1;
    }
    this.first = first;
    this.end = end;
  }

  /** Whether there are none. */
  get isEmpty(): boolean {
    return this.end === 0;
  }

  /** The address of the code that a trampoline is for; undefined for all other addresses. */
  codeOf(address: number): number | undefined {
    if (!(address >= this.first && address < this.end)) return undefined;
    return (this.#codes ??= this.#find()).get(address);
  }

  /** Pairs of both as words, by the addresses of the trampolines in ascending order. */
  pairs(): BigUint64Array<ArrayBuffer> {
    return addressWords([...this.#find()].sort(([left], [right]) => left - right).flat());
  }

  #find(): Map<number, number> {
    const codes = new Map<number, number>();
    this.#canonical.forEach((trampoline, symbol) => {
      if (trampoline !== 0) codes.set(trampoline, this.#codeOf(symbol));
    });
    return codes;
  }
}
