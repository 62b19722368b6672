/**
 * Inputs of which only the parts in use are read. Libraries have hundreds of megabytes, of which a link keeps symbols
 * and relocations in memory; it copies the contents of sections from the file straight to their place in the module.
 */

/** A file that can be read in parts. */
export interface InputSource {
  /** The file's size in bytes. */
  readonly size: number;

  /** Fills `into` with the bytes at an offset; throws if that is not possible. */
  read(offset: number, into: Uint8Array): void;
}

/** The bytes that are read at once where they are wanted one after the other. */
const WINDOW = 2 ** 20;
/** The most bytes that are looked at together without being kept, as those of a member are. */
const LARGEST_VIEW = 2 ** 24;
/** The bytes that are read at once where nothing tells whether the next ones are wanted. */
const FIRST_READ = 2 ** 12;

/** The window through which all files of a link are read: what lies in it is read once. */
class ReadWindow {
  #bytes = new Uint8Array(WINDOW);
  #source: InputSource | undefined;
  #start = 0;
  #length = 0;

  /** Returns bytes of a file, at most {@linkcode LARGEST_VIEW}; they are valid until the next call. */
  view(source: InputSource, start: number, end: number): Uint8Array {
    const isSame = source === this.#source && start >= this.#start;
    if (!isSame || end > this.#start + this.#length) this.#move(source, start, end, isSame);
    return this.#bytes.subarray(start - this.#start, end - this.#start);
  }

  #move(source: InputSource, start: number, end: number, isSame: boolean): void {
    // Whoever reads on from where the window ends will read further.
    const isOn = isSame && start <= this.#start + 2 * this.#length;
    const wanted = Math.max(end - start, isOn ? 2 * this.#length : FIRST_READ);
    const length = Math.min(Math.max(end - start, Math.min(wanted, WINDOW)), source.size - start);
    this.#source = undefined;
    if (length > this.#bytes.length) this.#bytes = new Uint8Array(length);
    source.read(start, this.#bytes.subarray(0, length));
    this.#source = source;
    this.#start = start;
    this.#length = length;
  }

  /** Copies bytes of a file; those of a long section need not pass through the window. */
  copy(source: InputSource, start: number, into: Uint8Array): void {
    const end = start + into.length;
    const isHere = source === this.#source && start >= this.#start && end <= this.#start + this.#length;
    if (isHere || into.length <= WINDOW / 4) into.set(this.view(source, start, end));
    else source.read(start, into);
  }
}

/** Opens files that share a window. */
export class PartialInputs {
  readonly #window = new ReadWindow();

  open(source: InputSource): PartialBytes {
    return new PartialBytes(this.#window, source, 0, new Uint8Array(source.size));
  }
}

/** A stretch of a file whose bytes are zero until they are loaded. The system gives no memory for those. */
export class PartialBytes {
  readonly bytes: Uint8Array;
  readonly #window: ReadWindow;
  readonly #source: InputSource;
  readonly #start: number;

  constructor(window: ReadWindow, source: InputSource, start: number, bytes: Uint8Array) {
    this.#window = window;
    this.#source = source;
    this.#start = start;
    this.bytes = bytes;
  }

  /** The bytes at `[start, end)`, as a stretch of their own. */
  part(start: number, end: number): PartialBytes {
    return new PartialBytes(
      this.#window,
      this.#source,
      this.#start + start,
      this.bytes.subarray(start, end),
    );
  }

  /** Loads the bytes at `[start, end)`. */
  load(start: number, end: number): void {
    this.#window.copy(this.#source, this.#start + start, this.bytes.subarray(start, end));
  }

  /** Copies bytes from the file, so that they are in memory once. */
  copy(start: number, into: Uint8Array): void {
    this.#window.copy(this.#source, this.#start + start, into);
  }

  /** Returns the bytes at `[start, end)` without keeping them: they are valid until more of any input is read. */
  peek(start: number, end: number): Uint8Array {
    if (end - start <= LARGEST_VIEW) {
      return this.#window.view(this.#source, this.#start + start, this.#start + end);
    }
    this.load(start, end);
    return this.bytes.subarray(start, end);
  }

  /** Yields all bytes in order, without keeping them. */
  *chunks(): Generator<Uint8Array> {
    const { length } = this.bytes;
    for (let at = 0; at < length; at += CHUNK) yield this.peek(at, Math.min(at + CHUNK, length));
  }
}

/** Small enough for the processor to have the bytes near when they are hashed. */
const CHUNK = 2 ** 18;
