/**
 * Reads object files and archives with bounds checks. `table` checks a table once; it may then be
 * read through `view` without further checks.
 */
import type { PartialBytes } from "../partial_input.ts";
import { malformed } from "../problems.ts";

/** The bytes of one input file, or of one member of an archive. */
export class InputBytes {
  /** Its name in errors, such as `libz.a(crc32.o)`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Reads the bytes, if they are not all in memory. */
  readonly partial: PartialBytes | undefined;
  #nameBytes = 0;

  /** @param partial Reads `bytes`; undefined if they are in memory. */
  constructor(name: string, bytes: Uint8Array, partial?: PartialBytes) {
    this.name = name;
    this.bytes = bytes;
    this.partial = partial;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Fails unless `count` records of `size` bytes lie at `offset` inside the file.
   *
   * @param subject The name of the table, for the message.
   */
  table(offset: number, count: number, size: number, subject: string): void {
    if (offset + count * size > this.bytes.length) {
      throw malformed(this.name, `${subject} lies outside the file of ${this.bytes.length} bytes`, {
        offset,
      });
    }
  }

  /** Returns the bytes at `[start, end)`, which are valid until more of any input is read. */
  peek(start: number, end: number): Uint8Array {
    return this.partial?.peek(start, end) ?? this.bytes.subarray(start, end);
  }

  /**
   * Returns the offset of the NUL that ends the name at `start`, or -1 if there
   * is none before `limit`. Names may share bytes: the total length of all names
   * is limited, so that a small file cannot make the linker work for hours.
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

  /** Reads an unsigned 64-bit field, whose bounds have been checked. `subject` names it in the message. */
  u64(offset: number, subject: string): number {
    const high = this.view.getUint32(offset + 4, true);
    if (high > 0x1fffff) {
      throw malformed(this.name, `${subject} is above 2^53 - 1`, {
        offset,
        value: this.view.getBigUint64(offset, true),
      });
    }
    return high * 0x100000000 + this.view.getUint32(offset, true);
  }
}

/** Reads a signed 64-bit field; returns `NaN` if a number cannot hold it, which callers report if it matters. */
export function signed64(view: DataView, offset: number): number {
  const high = view.getInt32(offset + 4, true);
  if (high > 0x1fffff || high < -0x200000) return NaN;
  return high * 0x100000000 + view.getUint32(offset, true);
}

/** Reads a signed 64-bit field; returns a `bigint` if a number cannot hold it. */
export function exact64(view: DataView, offset: number): number | bigint {
  const value = signed64(view, offset);
  return Number.isNaN(value) ? view.getBigInt64(offset, true) : value;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Whether the bytes at `[start, end)` are UTF-8, so that decoding loses nothing. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  try {
    strictUtf8.decode(bytes.subarray(start, end));
    return true;
  } catch {
    return false;
  }
}

/** Returns the end of the text in a field: its first NUL, or the field's end. */
export function textEnd(bytes: Uint8Array, start: number, limit: number): number {
  let end = start;
  while (end < limit && bytes[end] !== 0) end++;
  return end;
}

/** Decodes the text at `[start, end)`. Almost every name is short and ASCII, which is decoded without a call. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 40) return utf8.decode(bytes.subarray(start, end));
  let text = "";
  for (let i = start; i < end; i++) {
    if (bytes[i] >= 0x80) return utf8.decode(bytes.subarray(start, end));
    text += String.fromCharCode(bytes[i]);
  }
  return text;
}
