/**
 * Writes demangled names from trees of nodes, within bounds: a name of a hundred characters may stand for one of
 * gigabytes, since compression lets each part repeat all parts before it.
 */

/** Ends the demangling of a name that is malformed, or too deep or too long. */
export class Undemangled extends Error {
  override name = "Undemangled";
}

let refused: Undemangled | undefined;

/**
 * Ends the demangling. One error serves all, since nobody sees its stack. It is made when it is needed: the first error
 * of a program has Deno read source maps, which takes 30 ms of the package's.
 */
export function refuse(): never {
  throw refused ??= new Undemangled("not a mangled name, or not within the bounds");
}

/** How deep parts may nest. */
export const MAX_DEPTH = 256;

/** The longest name that is demangled, in characters. */
export const MAX_LENGTH = 1 << 16;

/** How many parts are visited, for each character of the mangled name and beside that. */
const STEPS_PER_CHARACTER = 64, MIN_STEPS = 4096;

/** How many characters are written, for each character of the mangled name and beside that. */
const OUTPUT_PER_CHARACTER = 64, MIN_OUTPUT = 4096;

/** Counts the work on one name, which is at most proportional to its length. */
export class Budget {
  #steps: number;
  #depth = 0;

  constructor(length: number) {
    if (length > MAX_LENGTH) refuse();
    this.#steps = MIN_STEPS + STEPS_PER_CHARACTER * length;
  }

  enter(): void {
    if (++this.#depth > MAX_DEPTH || --this.#steps < 0) refuse();
  }

  leave(): void {
    this.#depth--;
  }

  step(): void {
    if (--this.#steps < 0) refuse();
  }
}

/**
 * The part of a declarator behind the name: nothing, or that of an array or a function. A pointer to one of these has it
 * as well, behind its parenthesis: `int (*` and `) [5]`.
 */
export type Shape = "plain" | "array" | "function" | "pointer";

/** A part of a demangled name. */
export abstract class Node {
  /** Writes what stands in front of the name that is declared: of a type, `int (*`. */
  abstract left(out: Printer): void;
  /** Writes what stands behind it: `) [5]`. */
  right(_out: Printer): void {}
  /** The text that the declarator ends in. */
  shape(_out: Printer): Shape {
    return "plain";
  }
  /** The node that counts in its place: the current element of a parameter pack. */
  standsFor(_out: Printer): Node {
    return this;
  }
}

/** The arguments of a template, which parameters in it stand for, and those of the template around it. */
export interface Scope {
  readonly args: readonly Node[];
  readonly parent: Scope | undefined;
}

/** Collects the text of a name. */
export class Printer {
  #text = "";
  #last = "";
  /** Written in front of the next text, if there is any. */
  #pending = "";
  readonly #budget: Budget;
  readonly #maxLength: number;
  /** The element of parameter packs that is being written, inside of an expansion. */
  packIndex = 0;
  /**
   * The arguments that parameters of templates stand for where the part that is written is used: its text can be
   * elsewhere.
   */
  scope: Scope | undefined;
  /** Whether the reference that is written next is one by `&`, since one to it is. */
  isLvalue = false;
  /** Whether parameters of templates are those of a generic lambda. */
  isInLambda = false;
  /** The number of elements of the packs in the expansion; undefined until one is met. */
  packSize: number | undefined;

  constructor(length: number) {
    this.#budget = new Budget(length);
    this.#maxLength = MIN_OUTPUT + OUTPUT_PER_CHARACTER * length;
  }

  get text(): string {
    return this.#text;
  }

  /** The last character. */
  get last(): string {
    return this.#last;
  }

  add(text: string): void {
    if (text === "") return;
    this.#text += this.#pending + text;
    this.#pending = "";
    this.#last = text[text.length - 1];
    if (this.#text.length > this.#maxLength) refuse();
  }

  left(node: Node): void {
    this.#budget.enter();
    node.left(this);
    this.#budget.leave();
  }

  right(node: Node): void {
    this.#budget.enter();
    node.right(this);
    this.#budget.leave();
  }

  shape(node: Node): Shape {
    this.#budget.enter();
    const shape = node.shape(this);
    this.#budget.leave();
    return shape;
  }

  /** Writes both sides of a node. */
  print(node: Node): void {
    this.left(node);
    this.right(node);
  }

  /** Writes nodes with separators between those that are not empty, as an empty parameter pack is. */
  list(nodes: readonly Node[], separator = ", "): void {
    let isFirst = true;
    for (const node of nodes) isFirst = this.#item(isFirst, separator, () => this.print(node)) && isFirst;
  }

  /** Writes a pattern once for each element of the parameter packs in it. */
  expand(pattern: Node): void {
    const [index, size] = [this.packIndex, this.packSize];
    [this.packIndex, this.packSize] = [0, undefined];
    const before = this.#text.length;
    let isFirst = this.#item(true, ", ", () => this.print(pattern));
    const count: number | undefined = this.packSize;
    if (count === undefined) this.add("...");
    // Of an empty pack, the pattern around it was written all the same.
    else if (count === 0) this.#text = this.#text.slice(0, before);
    else {
      for (this.packIndex = 1; this.packIndex < count; this.packIndex++) {
        isFirst = this.#item(isFirst, ", ", () => this.print(pattern)) && isFirst;
      }
    }
    [this.packIndex, this.packSize] = [index, size];
  }

  /** Writes one item of a list; whether it is empty. */
  #item(isFirst: boolean, separator: string, write: () => void): boolean {
    const length = this.#text.length;
    const pending = this.#pending;
    if (!isFirst) this.#pending = separator;
    write();
    if (this.#text.length > length) return false;
    this.#pending = pending;
    return true;
  }
}
