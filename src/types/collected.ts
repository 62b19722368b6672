/**
 * The types of many objects before equal ones are merged, as numbers alone: thousands of records, most of
 * which turn out to be equal, would keep the garbage collector busy for longer than reading them takes.
 */
import { KINDS } from "./encoding.ts";
import { Growing } from "./growing.ts";
import type { Integer } from "./integer.ts";
import type { TypeRecord } from "./model.ts";
import { Sequences } from "./sequences.ts";
import { TextPool } from "./text_pool.ts";

/** Numbers by the name of a kind. */
const KIND_NUMBERS: ReadonlyMap<string | undefined, number> = new Map(
  KINDS.map((kind, number) => [kind, number]),
);
const IS_STRUCT = KINDS.map((kind) => kind === "struct" || kind === "union" || kind === "class");

/** Below this, numbers stand for themselves among words. */
const SMALL = 2 ** 30;

/** The texts, spellings and numbers that types have, each once. Several lists of types may share them. */
export class TypePools {
  readonly texts: TextPool = new TextPool();
  readonly sequences: Sequences = new Sequences();
  /** The numbers that do not stand for themselves, and their words. */
  readonly numbers: (Integer | undefined)[] = [];
  readonly words: Map<Integer | undefined, number> = new Map();
}

/** Some types of a list, which refer to no others: those of one object. */
export interface TypesPart {
  readonly kinds: Int32Array;
  readonly spellings: Int32Array;
  /** The number of references of each type. */
  readonly counts: Int32Array;
  /** References to types: 0 is `void`, 1 the first of the part. */
  readonly references: Int32Array;
}

/**
 * A list of types by number; 0 is `void`. A type is a spelling, which is a sequence of words, and the numbers
 * of the types that it refers to (spelling.ts has both for each kind). It is written in one go: `begin`,
 * words and references, `end`.
 */
export class CollectedTypes {
  readonly texts: TextPool;
  readonly #sequences: Sequences;
  readonly #numbers: (Integer | undefined)[];
  readonly #words: Map<Integer | undefined, number>;
  readonly #kinds: Growing = new Growing(0);
  readonly #spellings: Growing = new Growing(0);
  /** Where the references of each type start and end. */
  readonly #starts: Growing = new Growing(0);
  readonly #ends: Growing = new Growing(0);
  readonly #references: Growing = new Growing();
  /** The type that is being written. */
  #kind = 0;
  #spelling = 0;
  #start = 0;

  constructor(pools: TypePools = new TypePools()) {
    this.texts = pools.texts;
    this.#sequences = pools.sequences;
    this.#numbers = pools.numbers;
    this.#words = pools.words;
  }

  /** The number of types, `void` included. */
  get length(): number {
    return this.#kinds.length;
  }

  /** Forgets the types from a number on. */
  truncate(length: number): void {
    for (const list of [this.#kinds, this.#spellings, this.#starts, this.#ends]) list.length = length;
  }

  /**
   * Copies the types from a number on, which refer to each other only, and leaves them as {@linkcode append} would
   * have added them.
   */
  takePart(first: number): TypesPart {
    const { length } = this;
    const counts = new Int32Array(length - first), references: number[] = [];
    let start = this.#references.length;
    for (let id = first; id < length; id++) {
      for (let at = this.firstReference(id); at < this.behindReferences(id); at++) {
        const to = this.references[at];
        references.push(to === 0 ? 0 : to - first + 1);
        counts[id - first]++;
        start = Math.min(start, at);
      }
    }
    const part = {
      kinds: this.#kinds.values.slice(first, length),
      spellings: this.#spellings.values.slice(first, length),
      counts,
      references: Int32Array.from(references),
    };
    this.truncate(first);
    this.#references.length = start;
    this.append(part);
    return part;
  }

  /** Whether a list with the same pools has the same types under the same numbers, added in the same parts. */
  equals(other: CollectedTypes): boolean {
    const mine = this.#lists, theirs = other.#lists;
    return mine.every((list, index) => list.equals(theirs[index]));
  }

  get #lists(): readonly Growing[] {
    return [this.#kinds, this.#spellings, this.#starts, this.#ends, this.#references];
  }

  /** Adds types of a list with the same pools behind all others. */
  append({ kinds, spellings, counts, references }: TypesPart): void {
    const first = this.length;
    let start = this.#references.length;
    this.#kinds.append(kinds);
    this.#spellings.append(spellings);
    for (const count of counts) {
      this.#starts.push(start);
      this.#ends.push(start += count);
    }
    for (const to of references) this.#references.push(to === 0 ? 0 : to + first - 1);
  }

  /** Makes a number for a type that is written later. */
  reserve(): number {
    this.#spellings.push(0);
    this.#starts.push(0);
    this.#ends.push(0);
    return this.#kinds.push(0);
  }

  /** Begins a type. */
  begin(kind: TypeRecord["kind"]): void {
    this.#kind = KIND_NUMBERS.get(kind)!;
    this.#spelling = this.#sequences.append(0, this.#kind);
    this.#start = this.#references.length;
  }

  /** Adds a word, such as the number of a text. */
  word(word: number): void {
    this.#spelling = this.#sequences.append(this.#spelling, word);
  }

  /** Returns the word that probably comes next, because it did in the last type that began in the same way. */
  get likelyWord(): number {
    return this.#sequences.likelyNext(this.#spelling);
  }

  /** Adds a number of any size, or that there is none. */
  number(value: Integer | undefined): void {
    this.word(this.#wordOf(value));
  }

  /** Adds a reference to a type. */
  reference(type: number): void {
    this.#references.push(type);
  }

  /** Ends the type, which gets a number that was made for it. */
  end(id: number): void {
    this.#kinds.values[id] = this.#kind;
    this.#spellings.values[id] = this.#spelling;
    this.#starts.values[id] = this.#start;
    this.#ends.values[id] = this.#references.length;
  }

  #wordOf(value: Integer | undefined): number {
    if (typeof value === "number" && value >= 0 && value < SMALL) return value;
    let word = this.#words.get(value);
    if (word === undefined) {
      this.#words.set(value, word = SMALL + this.#numbers.length);
      this.#numbers.push(value);
    }
    return word;
  }

  /** Returns the number that a word stands for. */
  integerOf(word: number): Integer | undefined {
    return word < SMALL ? word : this.#numbers[word - SMALL];
  }

  /** Like {@linkcode integerOf}, of a word for a number that is not a bigint. */
  numberOf(word: number): number | undefined {
    return this.integerOf(word) as number | undefined;
  }

  kind(id: number): TypeRecord["kind"] {
    return KINDS[this.#kinds.values[id]]!;
  }

  /** Whether a type is a struct, a union or a class. */
  isStruct(id: number): boolean {
    return IS_STRUCT[this.#kinds.values[id]];
  }

  /** Returns a number above 0 that types share if they are equal apart from what they refer to. */
  spelling(id: number): number {
    return this.#spellings.values[id];
  }

  /** Lists the words of a type, without its kind. */
  words(id: number): number[] {
    return this.#sequences.list(this.spelling(id)).slice(1);
  }

  /** The references of all types; those of one lie between its two offsets. */
  get references(): Int32Array {
    return this.#references.values;
  }

  firstReference(id: number): number {
    return this.#starts.values[id];
  }

  behindReferences(id: number): number {
    return this.#ends.values[id];
  }
}
