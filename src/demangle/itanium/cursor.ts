/**
 * Reads a mangled name from left to right.
 */
import { Budget, refuse } from "../printer.ts";

/** A place in a mangled name. */
export class Cursor {
  #at: number;
  readonly budget: Budget;

  constructor(readonly text: string, start: number) {
    this.#at = start;
    this.budget = new Budget(text.length);
  }

  get position(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.text.length;
  }

  /** The character at a distance; empty behind the end. */
  peek(distance = 0): string {
    return this.text.charAt(this.#at + distance);
  }

  startsWith(text: string): boolean {
    return this.text.startsWith(text, this.#at);
  }

  /** Takes a text if it is next; whether it was. */
  take(text: string): boolean {
    if (!this.startsWith(text)) return false;
    this.#at += text.length;
    return true;
  }

  /** Takes a text that has to be next. */
  expect(text: string): void {
    if (!this.take(text)) refuse();
  }

  /** Takes characters. */
  skip(count: number): string {
    if (this.#at + count > this.text.length) refuse();
    const text = this.text.slice(this.#at, this.#at + count);
    this.#at += count;
    return text;
  }

  /** Takes all from here on that a set has; may be empty. */
  takeWhile(set: RegExp): string {
    const start = this.#at;
    while (this.#at < this.text.length && set.test(this.text[this.#at])) this.#at++;
    return this.text.slice(start, this.#at);
  }

  /** A decimal number without a sign. */
  number(): number {
    const digits = this.takeWhile(/\d/);
    if (digits === "" || digits.length > 9) refuse();
    return Number(digits);
  }

  /** `_` is 0, `0_` is 1, in a number system. */
  sequence(radix: 10 | 36): number {
    if (this.take("_")) return 0;
    const digits = this.takeWhile(radix === 10 ? /\d/ : /[0-9A-Z]/);
    if (digits === "" || digits.length > 6) refuse();
    this.expect("_");
    return parseInt(digits, radix) + 1;
  }
}
