/**
 * Arrays of C's type `char`.
 */

/**
 * Bytes of C's type `char`, as a `Uint8Array` that is also a text.
 */
export class CharArray extends Uint8Array<ArrayBuffer> {
  /** The text up to the first zero byte, as UTF-8. */
  get text(): string {
    const end = this.indexOf(0);
    // Copied: a decoder may refuse a view of foreign memory that another thread changes.
    return new TextDecoder().decode(this.slice(0, end < 0 ? this.length : end));
  }

  /**
   * Writes a text as UTF-8, and zeros behind it.
   *
   * @throws {RangeError} if the text with its zero byte is longer than the array.
   */
  set text(text: string) {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length >= this.length) {
      throw new RangeError(
        `Cannot set text: it has ${bytes.length} bytes and a zero byte, the array has ${this.length}`,
      );
    }
    this.set(bytes);
    this.fill(0, bytes.length);
  }

  /** Copies and parts of it are plain bytes. */
  static get [Symbol.species](): Uint8ArrayConstructor {
    return Uint8Array;
  }
}
