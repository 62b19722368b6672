/**
 * Numbers for sequences of numbers: equal sequences get equal numbers, and no others do.
 */
import { Growing } from "./growing.ts";

/**
 * A tree of all sequences that were asked for. Each node is a sequence, and its number leads on to those that
 * are one longer.
 */
export class Sequences {
  /** Nodes by a hash of where they lead from and by what; 0 is free. At most half of it is in use. */
  #table = new Int32Array(4096);
  readonly #from: Growing = new Growing(0);
  readonly #last: Growing = new Growing(0);
  /** The longer sequence that was asked for last, by node: often the same is asked for again. */
  readonly #likely: Growing = new Growing(0);

  /**
   * Returns the number of the sequence that is one longer.
   *
   * @param sequence The number of its beginning; 0 is the empty sequence, all others are above.
   * @param last The Int32 that it ends with.
   */
  append(sequence: number, last: number): number {
    const likely = this.#likely.values[sequence];
    if (likely !== 0 && this.#last.values[likely] === last) return likely;
    const node = this.#find(sequence, last);
    this.#likely.values[sequence] = node;
    return node;
  }

  /** Returns the number that probably follows a sequence; 0 if none ever did. */
  likelyNext(sequence: number): number {
    return this.#last.values[this.#likely.values[sequence]];
  }

  #find(sequence: number, last: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    const from = this.#from.values, by = this.#last.values;
    let at = hash(sequence, last) & mask;
    for (let node = table[at]; node !== 0; node = table[at = (at + 1) & mask]) {
      if (from[node] === sequence && by[node] === last) return node;
    }
    const node = table[at] = this.#from.push(sequence);
    this.#last.push(last);
    this.#likely.push(0);
    if (2 * node >= table.length) this.#grow();
    return node;
  }

  /** Lists the numbers of a sequence. */
  list(sequence: number): number[] {
    const numbers: number[] = [];
    for (let node = sequence; node !== 0; node = this.#from.values[node]) {
      numbers.push(this.#last.values[node]);
    }
    return numbers.reverse();
  }

  #grow(): void {
    const table = this.#table = new Int32Array(4 * this.#table.length);
    const mask = table.length - 1;
    const from = this.#from.values, by = this.#last.values;
    for (let node = 1; node < this.#from.length; node++) {
      let at = hash(from[node], by[node]) & mask;
      while (table[at] !== 0) at = (at + 1) & mask;
      table[at] = node;
    }
  }
}

function hash(a: number, b: number): number {
  const mixed = Math.imul(Math.imul(a, 0x9e3779b1) ^ b, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}
