/**
 * The one place where bytes of a file become numbers. Everything in this
 * folder reads through {@linkcode ByteReader}, which cannot read outside its
 * bytes.
 */

import { LoadError } from "../errors.ts";

/** A stretch of the file that a {@linkcode Reading} wants next. */
export interface ReadRequest {
  /** Where in the file, in bytes. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
  /** What to fill, of that length; without it, whoever reads hands out bytes that are to be looked at only. */
  readonly into?: Uint8Array | undefined;
}

/**
 * A parser that says what it wants read instead of reading, so that one parser
 * serves bytes in memory, synchronous and asynchronous files. It is given the
 * bytes that it asked for, which never change.
 */
export type Reading<T> = Generator<ReadRequest, T, Uint8Array>;

/** Runs a {@linkcode Reading} over bytes in memory, which must not change while its result is in use. */
export function readFrom<T>(bytes: Uint8Array, reading: Reading<T>): T {
  let step = reading.next(bytes);
  while (!step.done) {
    const { offset, length, into } = step.value;
    if (offset + length > bytes.length) {
      throw new LoadError("Io", "Cannot read: the bytes end too early", { offset, size: length });
    }
    const found = bytes.subarray(offset, offset + length);
    into?.set(found);
    step = reading.next(into ?? found);
  }
  return step.value;
}

/** The first number that a `number` can no longer hold exactly, with its neighbours. */
const UNSAFE = 2 ** 53;

/** Little-endian, bounds-checked, at any alignment. */
export class ByteReader {
  /** What is read. */
  readonly bytes: Uint8Array;
  /** Where `bytes` begin in the file: added to offsets in errors. */
  readonly fileOffset: number;
  #view: DataView;

  /**
   * Looks at bytes.
   *
   * @param bytes What to read; not copied.
   * @param fileOffset Where `bytes` begin in the file, for errors.
   */
  constructor(bytes: Uint8Array, fileOffset = 0) {
    this.bytes = bytes;
    this.fileOffset = fileOffset;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many bytes there are. */
  get length(): number {
    return this.bytes.length;
  }

  /** One byte. */
  u8(at: number): number {
    this.#check(at, 1);
    return this.#view.getUint8(at);
  }

  /** Two bytes, unsigned. */
  u16(at: number): number {
    this.#check(at, 2);
    return this.#view.getUint16(at, true);
  }

  /** Four bytes, unsigned. */
  u32(at: number): number {
    this.#check(at, 4);
    return this.#view.getUint32(at, true);
  }

  /** Four bytes, signed. */
  i32(at: number): number {
    this.#check(at, 4);
    return this.#view.getInt32(at, true);
  }

  /**
   * Eight bytes, unsigned, as a number.
   *
   * @param what What it is, for the error above 2^53 - 1.
   */
  u64(at: number, what = "a 64-bit value"): number {
    this.#check(at, 8);
    const high = this.#view.getUint32(at + 4, true);
    if (high >= 0x20_0000) {
      throw new LoadError("InvalidFormat", `Cannot use ${what}: it is above 2^53 - 1`, {
        offset: this.fileOffset + at,
        value: this.bigU64(at),
        range: [0, UNSAFE],
      });
    }
    return high * 0x1_0000_0000 + this.#view.getUint32(at, true);
  }

  /** Eight bytes, unsigned, all of them. Not for loops: it allocates. */
  bigU64(at: number): bigint {
    this.#check(at, 8);
    return this.#view.getBigUint64(at, true);
  }

  /** Eight bytes, signed, all of them. Not for loops: it allocates. */
  bigI64(at: number): bigint {
    this.#check(at, 8);
    return this.#view.getBigInt64(at, true);
  }

  /** A window on `length` bytes; not a copy. */
  slice(at: number, length: number): Uint8Array {
    this.#check(at, length);
    return this.bytes.subarray(at, at + length);
  }

  /** Whether these ASCII characters are here; false also past the end. */
  startsWith(text: string, at = 0): boolean {
    if (at < 0 || at + text.length > this.length) return false;
    for (let i = 0; i < text.length; i++) {
      if (this.#view.getUint8(at + i) !== text.charCodeAt(i)) return false;
    }
    return true;
  }

  #check(at: number, length: number): void {
    // The comparison is written so that NaN fails it too.
    if (!(at >= 0 && at + length <= this.length)) {
      throw new LoadError("InvalidFormat", `Cannot read ${length} bytes: the data ends before them`, {
        offset: this.fileOffset + at,
        range: [this.fileOffset, this.fileOffset + this.length],
      });
    }
  }
}

/** Whether this machine's own numbers are little-endian, as those of the format are. */
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Little-endian 32-bit numbers as an array, for loops over many records: a view
 * where the machine allows, else a copy.
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

/** The same words with signs, which fit into the engine's small integers. */
export function signedWords(words: Uint32Array): Int32Array {
  return new Int32Array(words.buffer, words.byteOffset, words.length);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * UTF-8 bytes as text. Short ASCII, which nearly every name is, never leaves
 * JavaScript.
 *
 * @returns the text, or `undefined` when the bytes are not UTF-8.
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
