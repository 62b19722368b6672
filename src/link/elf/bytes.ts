/**
 * Bounds-checked reading of object files and archives. Tables are checked once,
 * by `table`, and may then be read through `view` without further checks.
 */
import { LoadError, type LoadErrorData } from "../../errors.ts";

/** A malformed input: always `InvalidFormat`, always with the file. */
export function malformed(path: string, problem: string, data: LoadErrorData = {}): LoadError {
  return new LoadError("InvalidFormat", `Cannot link: ${problem}`, { path, ...data });
}

/** A well-formed input that has no counterpart in an SMF module. */
export function unsupported(path: string, problem: string, data: LoadErrorData = {}): LoadError {
  return new LoadError("Unsupported", `Cannot link: ${problem}`, { path, ...data });
}

/** The bytes of one input file, or of one member of an archive. */
export class InputBytes {
  /** What errors call it, such as `libz.a(crc32.o)`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #nameBytes = 0;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Fails unless `count` records of `size` bytes lie at `offset` inside the file. */
  table(offset: number, count: number, size: number, what: string): void {
    if (offset + count * size > this.bytes.length) {
      throw malformed(this.name, `${what} lies outside the file of ${this.bytes.length} bytes`, { offset });
    }
  }

  /**
   * Where the NUL of the name at `start` is, or -1 when there is none before
   * `limit`. Names may share bytes; that they cannot make a small file costly is
   * seen to here.
   */
  nameEnd(start: number, limit: number): number {
    let end = start;
    while (end < limit && this.bytes[end] !== 0) end++;
    this.#nameBytes += end - start;
    if (this.#nameBytes > 64 * this.bytes.length) {
      throw malformed(this.name, "names overlap each other without end", { offset: start });
    }
    return end < limit ? end : -1;
  }

  /** An unsigned 64-bit field as a number. The place must have been checked. */
  u64(offset: number, what: string): number {
    const high = this.view.getUint32(offset + 4, true);
    if (high > 0x1fffff) {
      throw malformed(this.name, `${what} is above 2^53 - 1`, {
        offset,
        value: this.view.getBigUint64(offset, true),
      });
    }
    return high * 0x100000000 + this.view.getUint32(offset, true);
  }
}

/**
 * A signed 64-bit field as a number, `NaN` where a number cannot hold it.
 * Callers report `NaN` when the value matters.
 */
export function signed64(view: DataView, offset: number): number {
  const high = view.getInt32(offset + 4, true);
  if (high > 0x1fffff || high < -0x200000) return NaN;
  return high * 0x100000000 + view.getUint32(offset, true);
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Whether `[start, end)` is UTF-8, so that the text says exactly what the bytes say. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  try {
    strictUtf8.decode(bytes.subarray(start, end));
    return true;
  } catch {
    return false;
  }
}

/** The text at `[start, end)`; almost every name is short and plain ASCII. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 40) return utf8.decode(bytes.subarray(start, end));
  let text = "";
  for (let i = start; i < end; i++) {
    if (bytes[i] >= 0x80) return utf8.decode(bytes.subarray(start, end));
    text += String.fromCharCode(bytes[i]);
  }
  return text;
}
