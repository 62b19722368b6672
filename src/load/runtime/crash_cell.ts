/**
 * The memory in which the library for crashes (native/crash/) describes frames to JavaScript.
 */

/** A `struct guard_cell`: the bytes in front of its text, and the whole. */
const HEADER_SIZE = 24, CELL_SIZE = HEADER_SIZE + 8192;
/** The word of the length of its text, and the byte of its room. */
const LENGTH = 1, ROOM = 16;

const decoder = new TextDecoder();

/** The library's description of a crash, or of the callers of a callback. */
export class CrashCell {
  /** Not in V8's heap, where it would move. */
  readonly bytes = new Uint8Array(new ArrayBuffer(CELL_SIZE));
  readonly words = new Uint32Array(this.bytes.buffer, 0, HEADER_SIZE / 4);

  constructor() {
    new DataView(this.bytes.buffer).setBigUint64(ROOM, BigInt(CELL_SIZE - HEADER_SIZE), true);
  }

  get text(): string {
    return decoder.decode(this.bytes.subarray(HEADER_SIZE, HEADER_SIZE + this.words[LENGTH]));
  }

  /** Makes the text empty. */
  clear(): void {
    this.words[LENGTH] = 0;
  }
}
