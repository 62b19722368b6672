/**
 * A file in parts: whoever writes it to a disk needs no copy of all of it in memory.
 */

/** The parts of a file by offset, with zeros between them. */
export class FileParts {
  readonly #parts: { readonly at: number; readonly bytes: Uint8Array }[] = [];

  /** The size of the file. */
  readonly size: number;

  constructor(size: number) {
    this.size = size;
  }

  /** Adds a part, which stays the caller's: later changes of its bytes are changes of the file. */
  add(at: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.#parts.push({ at, bytes });
  }

  /** Returns the bytes of the file. */
  join(): Uint8Array<ArrayBuffer> {
    const file = new Uint8Array(this.size);
    for (const { at, bytes } of this.#parts) file.set(bytes, at);
    return file;
  }

  /** Yields the bytes of the file in order, zeros included. */
  *[Symbol.iterator](): Generator<Uint8Array> {
    let end = 0;
    for (const { at, bytes } of this.#parts.toSorted((a, b) => a.at - b.at)) {
      if (at > end) yield new Uint8Array(at - end);
      yield bytes;
      end = at + bytes.length;
    }
    if (this.size > end) yield new Uint8Array(this.size - end);
  }
}
