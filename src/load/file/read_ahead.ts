/**
 * Small reads of a file made of one larger one: header, tables and sections of
 * a small module lie side by side and cost one read together.
 */

import type { ReadRequest } from "../../smf/reader.ts";

/** What is read at once, in bytes; a request of that size or more is read by itself. */
export const WINDOW = 16_384;

/** What to read: more than was asked for, perhaps. */
export interface WideRequest {
  readonly offset: number;
  readonly into: Uint8Array;
}

/** A stretch of one file that has been read already. What it hands out stays as it is. */
export class ReadAhead {
  readonly #fileSize: number;
  #bytes: Uint8Array | undefined;
  /** Where the stretch begins in the file, and where it ends. */
  #start = 0;
  #end = 0;

  constructor(fileSize: number) {
    this.#fileSize = fileSize;
  }

  /** Answers a request from what there is; undefined if that is not all of it. */
  serve({ offset, length, into }: ReadRequest): Uint8Array | undefined {
    const at = offset - this.#start;
    if (this.#bytes === undefined || at < 0 || offset + length > this.#end) return undefined;
    const found = this.#bytes.subarray(at, at + length);
    into?.set(found);
    return into ?? found;
  }

  /**
   * What to read for a request that could not be served: more than it wants,
   * unless that is much by itself or has a place already. No more than the file
   * has, but for a request that asks for more.
   */
  widen({ offset, length, into }: ReadRequest): WideRequest {
    if (into !== undefined) return { offset, into };
    if (length >= WINDOW || offset + length > this.#fileSize) return { offset, into: new Uint8Array(length) };
    this.#start = offset;
    this.#end = offset;
    this.#bytes = new Uint8Array(Math.min(WINDOW, this.#fileSize - offset));
    return { offset, into: this.#bytes };
  }

  /** Takes note of how much of a {@linkcode ReadAhead.widen} has been read; its request can be served then. */
  filled({ offset, into }: WideRequest, count: number): void {
    if (into === this.#bytes) this.#end = offset + count;
  }
}
