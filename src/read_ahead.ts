/**
 * Small reads of a file made of one larger one: header, tables and sections of
 * a small module lie side by side and cost one read together.
 */

import type { ReadRequest } from "./smf/reader.ts";

/** What is read at once, in bytes; a request of that size or more is read by itself, into its own place. */
export const WINDOW = 16_384;

/** Not in use by any load: loads may be nested, by what a resolver does. */
let spare: Uint8Array | undefined;

/** A stretch of one file that has been read already. */
export class ReadAhead implements Disposable {
  readonly #bytes: Uint8Array;
  readonly #fileSize: number;
  /** Where the stretch begins in the file, and where it ends. */
  #start = 0;
  #end = 0;

  constructor(fileSize: number) {
    this.#fileSize = fileSize;
    this.#bytes = spare ?? new Uint8Array(WINDOW);
    spare = undefined;
  }

  /** Fills a request from what there is, and answers whether there was all of it. */
  serve({ offset, into }: ReadRequest): boolean {
    if (offset < this.#start || offset + into.length > this.#end) return false;
    const at = offset - this.#start;
    into.set(this.#bytes.subarray(at, at + into.length));
    return true;
  }

  /** What to read for a request that could not be served: more than it wants, unless that is much by itself. */
  widen(request: ReadRequest): ReadRequest {
    const { offset, into } = request;
    if (into.length >= WINDOW || offset + into.length > this.#fileSize) return request;
    this.#start = offset;
    this.#end = offset;
    return { offset, into: this.#bytes.subarray(0, Math.min(WINDOW, this.#fileSize - offset)) };
  }

  /** Takes note of how much of the last {@linkcode ReadAhead.widen} has been read. */
  filled(count: number): void {
    this.#end = this.#start + count;
  }

  /** Hands its memory on. */
  [Symbol.dispose](): void {
    spare = this.#bytes;
  }
}
