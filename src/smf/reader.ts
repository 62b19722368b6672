/**
 * Reads numbers from the bytes of a file. Everything in this folder reads through
 * {@linkcode ByteReader}, which cannot read outside its bytes, or through the
 * arrays of {@linkcode littleEndianWords}.
 */

import { LoadError } from "../errors/load_error.ts";
import { COPY_AGAIN } from "./hints.ts";

/** A range of the file that a {@linkcode Reading} needs next. */
export interface ReadRequest {
  /** File offset in bytes. */
  readonly offset: number;
  /** Length in bytes. */
  readonly length: number;
  /** A buffer of that length to fill; without one, the caller passes in bytes that the parser only reads. */
  readonly into?: Uint8Array | undefined;
}

/**
 * A sans-I/O parser: it yields the ranges that it needs instead of reading them,
 * so that one parser serves bytes in memory, synchronous and asynchronous files.
 * Each `next` passes in the requested bytes, which must never change.
 */
export type Reading<T> = Generator<ReadRequest, T, Uint8Array>;

/** Runs a {@linkcode Reading} on bytes in memory, which must not change while its result is in use. */
export function readFrom<T>(bytes: Uint8Array, reading: Reading<T>): T {
  let step = reading.next(bytes);
  while (!step.done) {
    const { offset, length, into } = step.value;
    if (offset + length > bytes.length) {
      throw new LoadError("Io", "Cannot read the file: its bytes end before the requested range", {
        offset,
        size: length,
        hint: COPY_AGAIN,
      });
    }
    const found = bytes.subarray(offset, offset + length);
    into?.set(found);
    step = reading.next(into ?? found);
  }
  return step.value;
}

/** The smallest integer above `Number.MAX_SAFE_INTEGER`. */
const UNSAFE = 2 ** 53;

/** Reads little-endian numbers at any alignment, with bounds checks. */
export class ByteReader {
  /** The bytes, which are not copied. */
  readonly bytes: Uint8Array;
  /** The file offset of `bytes`, which errors add to their offsets. */
  readonly fileOffset: number;
  #view: DataView;

  /**
   * Starts to read bytes.
   *
   * @param bytes The bytes, which are not copied.
   * @param fileOffset The file offset of `bytes`, for errors.
   */
  constructor(bytes: Uint8Array, fileOffset = 0) {
    this.bytes = bytes;
    this.fileOffset = fileOffset;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The number of bytes. */
  get length(): number {
    return this.bytes.length;
  }

  /** Reads one byte. */
  u8(at: number): number {
    this.#check(at, 1);
    return this.#view.getUint8(at);
  }

  /** Reads two bytes, unsigned. */
  u16(at: number): number {
    this.#check(at, 2);
    return this.#view.getUint16(at, true);
  }

  /** Reads four bytes, unsigned. */
  u32(at: number): number {
    this.#check(at, 4);
    return this.#view.getUint32(at, true);
  }

  /** Reads four bytes, signed. */
  i32(at: number): number {
    this.#check(at, 4);
    return this.#view.getInt32(at, true);
  }

  /**
   * Reads eight bytes, unsigned, as a number.
   *
   * @param name The name of the value, for errors.
   * @throws {LoadError} `InvalidFormat` if it is above 2^53 - 1.
   */
  u64(at: number, name = "a 64-bit value"): number {
    this.#check(at, 8);
    const high = this.#view.getUint32(at + 4, true);
    if (high >= 0x20_0000) {
      throw new LoadError("InvalidFormat", `Cannot use ${name}: it is above 2^53 - 1`, {
        offset: this.fileOffset + at,
        value: this.bigU64(at),
        range: [0, UNSAFE],
      });
    }
    return high * 0x1_0000_0000 + this.#view.getUint32(at, true);
  }

  /** Reads eight bytes, unsigned, with any value. Allocates, so it is not for loops. */
  bigU64(at: number): bigint {
    this.#check(at, 8);
    return this.#view.getBigUint64(at, true);
  }

  /** Reads eight bytes, signed, with any value. Allocates, so it is not for loops. */
  bigI64(at: number): bigint {
    this.#check(at, 8);
    return this.#view.getBigInt64(at, true);
  }

  /** Returns a view of `length` bytes, not a copy. */
  slice(at: number, length: number): Uint8Array {
    this.#check(at, length);
    return this.bytes.subarray(at, at + length);
  }

  /** Whether these ASCII characters are at `at`; false past the end. */
  startsWith(text: string, at = 0): boolean {
    if (at < 0 || at + text.length > this.length) return false;
    for (let i = 0; i < text.length; i++) {
      if (this.#view.getUint8(at + i) !== text.charCodeAt(i)) return false;
    }
    return true;
  }

  #check(at: number, length: number): void {
    // Written so that NaN fails the check too.
    if (!(at >= 0 && at + length <= this.length)) {
      throw new LoadError("InvalidFormat", `Cannot read ${length} bytes: the data ends before them`, {
        offset: this.fileOffset + at,
        range: [this.fileOffset, this.fileOffset + this.length],
      });
    }
  }
}

/** Whether this machine is little-endian, like the format. */
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Makes an array of little-endian 32-bit numbers, for loops over many records: a
 * view where alignment and byte order of the machine allow it, else a copy.
 *
 * @param bytes A multiple of four bytes.
 */
export function littleEndianWords(bytes: Uint8Array): Uint32Array {
  if (LITTLE_ENDIAN) {
    const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
    return new Uint32Array(buffer, byteOffset, bytes.length / 4);
  }
  const reader = new ByteReader(bytes);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => reader.u32(i * 4));
}

/** Views words as signed, so that the engine can represent them as small integers. */
export function signedWords(words: Uint32Array): Int32Array {
  return new Int32Array(words.buffer, words.byteOffset, words.length);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Decodes UTF-8. Short ASCII, as nearly every name is, is decoded in JavaScript
 * without a call into the runtime.
 *
 * @returns the text, or `undefined` if the bytes are not UTF-8.
 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  if (bytes.length <= 64) {
    let text = "";
    let i = 0;
    for (; i < bytes.length && bytes[i] < 0x80; i++) text += String.fromCharCode(bytes[i]);
    if (i === bytes.length) return text;
  }
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
