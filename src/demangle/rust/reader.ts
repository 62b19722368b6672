/**
 * The smallest parts of Rust's mangled names (RFC 2603): numbers and identifiers.
 */
import { refuse } from "../printer.ts";
import { decodePunycode } from "./punycode.ts";

/** An identifier, and the number that tells it from others of the same text. */
export interface Identifier {
  readonly disambiguator: number;
  readonly text: string;
}

/** Reads a name from left to right. */
export class RustReader {
  protected at: number;

  constructor(protected readonly name: string, protected readonly start: number) {
    this.at = start;
  }

  protected peek(): string {
    return this.name.charAt(this.at);
  }

  protected take(text: string): boolean {
    if (!this.name.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  protected next(): string {
    if (this.at >= this.name.length) refuse();
    return this.name[this.at++];
  }

  /** A number with base 62: `_` is 0, `0_` is 1. */
  protected base62(): number {
    if (this.take("_")) return 0;
    let value = 0;
    for (let digit = this.next(); digit !== "_"; digit = this.next()) {
      const weight = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".indexOf(digit);
      value = value * 62 + weight;
      // The disambiguator of crates has 64 bits; only small numbers are shown.
      if (weight < 0) refuse();
    }
    return value + 1;
  }

  protected optional62(tag: string): number {
    return this.take(tag) ? this.base62() + 1 : 0;
  }

  protected identifier(): Identifier {
    const disambiguator = this.optional62("s");
    const isPunycode = this.take("u");
    const [digits] = /^(?:0|[1-9]\d{0,5})/.exec(this.name.slice(this.at, this.at + 6)) ?? refuse();
    this.at += digits.length;
    // The separator is there if the text begins with a digit or _.
    this.take("_");
    const end = this.at + Number(digits);
    if (end > this.name.length) refuse();
    const text = this.name.slice(this.at, end);
    this.at = end;
    return { disambiguator, text: isPunycode ? decodePunycode(text) : text };
  }

  /** A number of up to 128 bits. */
  protected hex(): bigint {
    const [digits] = /^[0-9a-f]{0,32}_/.exec(this.name.slice(this.at, this.at + 33)) ?? refuse();
    this.at += digits.length;
    return BigInt(`0x0${digits.slice(0, -1)}`);
  }
}
