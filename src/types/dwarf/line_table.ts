/**
 * The places in the source of one unit's instructions, found by address.
 */

/** A place in the source. */
export interface SourcePlace {
  /** The path of the file as the compiler knew it. */
  readonly file: string;
  /** Counts from 1; undefined where the code belongs to no line. */
  readonly line: number | undefined;
  /** Counts from 1; undefined if it is not known. */
  readonly column: number | undefined;
}

/** A run of instructions at ascending addresses. */
interface Sequence {
  readonly start: number;
  readonly end: number;
  /** Its first row, and the one behind its last. */
  readonly first: number;
  readonly behind: number;
}

/** Addresses from here on are of no module: of code that a linker has left out. */
const NOWHERE = 0x1_0000_0000;

/** The rows of a line program. */
export class LineTable {
  readonly #files: ReadonlyMap<number, string>;
  readonly #addresses: number[] = [];
  /** File, line and column of each row. */
  readonly #places: number[] = [];
  readonly #sequences: Sequence[] = [];
  #first = 0;
  #isSorted = true;

  /** @param files The paths by their numbers. */
  constructor(files: ReadonlyMap<number, string>) {
    this.#files = files;
  }

  /** Adds a row of the sequence that is being read. */
  add(address: number, file: number, line: number, column: number): void {
    this.#addresses.push(address);
    this.#places.push(file, line, column);
  }

  /** Ends a sequence at the first address behind it. */
  endSequence(end: number): void {
    const first = this.#first, behind = this.#addresses.length;
    this.#first = behind;
    const start = this.#addresses[first];
    if (behind === first || start >= NOWHERE || end <= start) return;
    this.#sequences.push({ start, end, first, behind });
    this.#isSorted = false;
  }

  /** The path of a file; undefined for a number that no file has. */
  file(number: number): string | undefined {
    return this.#files.get(number);
  }

  /** Finds the place of the instruction that the byte at an address belongs to. */
  find(address: number): SourcePlace | undefined {
    const sequences = this.#sequences;
    if (!this.#isSorted) sequences.sort((left, right) => left.start - right.start);
    this.#isSorted = true;
    let [low, high] = [0, sequences.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sequences[middle].start <= address) low = middle + 1;
      else high = middle;
    }
    const sequence = sequences[low - 1];
    if (sequence === undefined || address >= sequence.end) return undefined;
    [low, high] = [sequence.first, sequence.behind];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#addresses[middle] <= address) low = middle + 1;
      else high = middle;
    }
    return this.#place(low - 1);
  }

  #place(row: number): SourcePlace | undefined {
    const [number, line, column] = this.#places.slice(3 * row, 3 * row + 3);
    const file = this.#files.get(number);
    return file === undefined ? undefined : { file, line: line || undefined, column: column || undefined };
  }
}
