/**
 * Memory of an isolate for strings on their way into and out of native code.
 *
 * Strings that go in are a stack: a function that calls back lets other calls put theirs above. Its addresses stay
 * for ever, and adapters have them as constants. A string that comes out is read before anything else can run.
 */

import { fromCharCode } from "../../os/intrinsics.ts";
import { addressOfBuffer } from "../../os/pointer.ts";
import type { StringPlaces } from "./signature.ts";

/** The bytes of all strings that are on their way in at a time. */
const IN_BYTES = 0x1_0000;
/** The most bytes of a string that comes out here; longer ones are read where they are. */
const MOST_OUT_BYTES = 1024;

const encoder = new TextEncoder();

/** The strings of an isolate. */
export class Scratch {
  /** Where the next string goes. Offset 0 stands for the null pointer. */
  top = 1;
  /** Both are empty until an adapter asks for their addresses: most programs have none. */
  #in: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #out: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** Where adapters find strings. */
  get places(): StringPlaces {
    if (this.#in.length === 0) {
      this.#in = new Uint8Array(IN_BYTES);
      this.#out = new Uint8Array(MOST_OUT_BYTES);
    }
    return {
      in: addressOfBuffer(this.#in.buffer),
      out: addressOfBuffer(this.#out.buffer),
      most: MOST_OUT_BYTES,
    };
  }

  /**
   * Puts a string on the stack, in UTF-8 and with a NUL. The caller sets `top` back after its call.
   *
   * @returns its offset, 0 for null; -1 if there is no room, if it has a NUL itself, or for other values.
   */
  push(text: unknown): number {
    if (text === null) return 0;
    if (typeof text !== "string") return -1;
    const { length } = text;
    const start = this.top;
    // A character of UTF-16 has at most three bytes.
    if (start + 3 * length >= IN_BYTES) return -1;
    const bytes = this.#in;
    for (let index = 0; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit === 0) return -1;
      if (unit > 0x7f) return this.#pushEncoded(text, start);
      bytes[start + index] = unit;
    }
    bytes[start + length] = 0;
    this.top = start + length + 1;
    return start;
  }

  #pushEncoded(text: string, start: number): number {
    if (text.includes("\0")) return -1;
    const { written } = encoder.encodeInto(text, this.#in.subarray(start));
    this.#in[start + written] = 0;
    this.top = start + written + 1;
    return start;
  }

  /** The string of so many characters of ASCII that has just come out. */
  text(length: number): string {
    const b = this.#out;
    let text = "";
    let i = 0;
    // One call for many characters makes one string of them.
    for (; i + 16 <= length; i += 16) text += sixteen(b, i);
    for (; i + 4 <= length; i += 4) text += fromCharCode(b[i], b[i + 1], b[i + 2], b[i + 3]);
    for (; i < length; i++) text += fromCharCode(b[i]);
    return text;
  }
}

// deno-fmt-ignore
function sixteen(b: Uint8Array, i: number): string {
  return fromCharCode(
    b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6], b[i + 7],
    b[i + 8], b[i + 9], b[i + 10], b[i + 11], b[i + 12], b[i + 13], b[i + 14], b[i + 15],
  );
}

/** The strings of this isolate. */
export const scratch: Scratch = new Scratch();
