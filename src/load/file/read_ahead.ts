/**
 * Turns small reads of a file into one larger read: header, tables and sections
 * of a small module lie side by side and cost one read together.
 */

import type { ReadRequest } from "../../smf/reader.ts";

/** Bytes that one read takes; a request of that size or more is read by itself. */
export const WINDOW = 16_384;

/** A read that covers a request and may go beyond it. */
export interface WideRequest {
  readonly offset: number;
  readonly into: Uint8Array;
}

/** The part of one file that was read last. Bytes that it has handed out stay unchanged. */
export class ReadAhead {
  readonly #fileSize: number;
  #bytes: Uint8Array | undefined;
  /** The file offsets at which the part begins and ends. */
  #start = 0;
  #end = 0;

  constructor(fileSize: number) {
    this.#fileSize = fileSize;
  }

  /** Answers a request from the bytes at hand; undefined if they do not cover it. */
  serve({ offset, length, into }: ReadRequest): Uint8Array | undefined {
    const at = offset - this.#start;
    if (this.#bytes === undefined || at < 0 || offset + length > this.#end) return undefined;
    const found = this.#bytes.subarray(at, at + length);
    into?.set(found);
    return into ?? found;
  }

  /**
   * The read to make for a request that could not be served. It goes beyond the
   * request unless that is large or has a buffer of its own, and never beyond the
   * end of the file unless the request does.
   */
  widen({ offset, length, into }: ReadRequest): WideRequest {
    if (into !== undefined) return { offset, into };
    if (length >= WINDOW || offset + length > this.#fileSize) return { offset, into: new Uint8Array(length) };
    this.#start = offset;
    this.#end = offset;
    this.#bytes = new Uint8Array(Math.min(WINDOW, this.#fileSize - offset));
    return { offset, into: this.#bytes };
  }

  /** Records how many bytes of a {@linkcode ReadAhead.widen} have been read; its request can be served then. */
  filled({ offset, into }: WideRequest, count: number): void {
    if (into === this.#bytes) this.#end = offset + count;
  }
}
