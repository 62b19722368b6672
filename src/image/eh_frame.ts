/**
 * Call frame information in memory (LSB Core, "Exception Frames"; DWARF 5,
 * section 6.4): looked over before an unwinder gets it, which believes all that
 * it reads.
 *
 * ```text
 * CIE      version: u8, augmentation: string, code and data alignment: LEB128,
 *          return register, augmentation length: ULEB128, augmentation data, instructions
 * FDE      first: i32 from here, size: u32, augmentation data, instructions
 * ```
 *
 * {@linkcode FrameRecords} tells the records apart.
 *
 * Instructions and handlers are not judged: like machine code, they are the
 * module's own affair.
 */

import { LoadError } from "../errors/load_error.ts";
import { FrameRecords } from "../smf/frame_records.ts";

/** `DW_EH_PE_pcrel | DW_EH_PE_sdata4`: a distance of 32 bits from the place that holds it. */
const NEAR = 0x1b;

/** The sizes of the pointer encodings that unwinders understand, by the low four bits of DW_EH_PE_*. */
const POINTER_SIZES: Readonly<Record<number, number | undefined>> = { 0: 8, 3: 4, 4: 8, 11: 4, 12: 8 };
/** `DW_EH_PE_indirect`, `DW_EH_PE_pcrel`, and the mask of the bits that say what a pointer is relative to. */
const INDIRECT = 0x80, RELATIVE = 0x10, KIND = 0x70;

/** A part of the image, by its first offset and the one behind its end. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Reads one table, and refuses records that leave it. */
class FrameTable {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #section: string;
  #at = 0;
  /** Where the part of the table ends that is read. */
  #end = 0;

  constructor(bytes: Uint8Array, section: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#section = section;
  }

  /** Implements {@linkcode countFrames}. */
  count(start: number, code: Extent): number {
    const records = new FrameRecords(this.#bytes, (problem, offset) => {
      this.#at = offset;
      return this.#broken(problem);
    });
    let frames = 0;
    while (records.next()) {
      this.#at = records.body;
      this.#end = records.end;
      if (records.cie === -1) this.#readCie();
      else if (this.#readFde(start, code) > 0) frames++;
    }
    this.#at = records.end;
    if (!records.isTerminated) throw this.#broken("it ends too early");
    return frames;
  }

  #readCie(): void {
    const version = this.#uint8();
    if (version !== 1 && version !== 3) throw this.#broken(`version ${version} is unknown`);
    let augmentation = "";
    for (let letter = this.#uint8(); letter !== 0; letter = this.#uint8()) {
      augmentation += String.fromCharCode(letter);
    }
    this.#leb128();
    this.#leb128();
    if (version === 1) this.#uint8();
    else this.#leb128();
    if (!/^z[LPRSB]*$/.test(augmentation) || !augmentation.includes("R")) {
      throw this.#broken(`augmentation '${augmentation}' is unknown`);
    }
    const length = this.#leb128();
    if (length > this.#end - this.#at) throw this.#broken("an augmentation is longer than its record");
    this.#end = this.#at + length;
    for (const letter of augmentation) {
      if (letter === "R" && this.#uint8() !== NEAR) throw this.#broken("addresses are not near ones");
      if (letter === "L") this.#pointerSize();
      if (letter === "P") this.#skip(this.#pointerSize());
    }
  }

  /** Returns the size of the function. */
  #readFde(start: number, code: Extent): number {
    const place = start + this.#at;
    const first = place + this.#view.getInt32(this.#skip(4), true);
    const size = this.#uint32();
    if (first < code.start || first + size > code.end) throw this.#broken("a function is not in the code");
    // Every augmentation that begins with 'z' has this length.
    this.#skip(this.#leb128());
    return size;
  }

  /** Reads a pointer encoding, and returns the size of a pointer in that encoding. */
  #pointerSize(): number {
    const encoding = this.#uint8();
    // DW_EH_PE_omit: the pointer is absent.
    if (encoding === 0xff) return 0;
    const kind = encoding & KIND;
    const size = POINTER_SIZES[encoding & ~(INDIRECT | KIND)];
    if (size === undefined || kind !== 0 && kind !== RELATIVE) {
      throw this.#broken(`pointer encoding ${encoding} is unknown`);
    }
    return size;
  }

  #leb128(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#uint8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw this.#broken("a number is too large");
  }

  #uint8(): number {
    return this.#bytes[this.#skip(1)];
  }

  #uint32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  /** Skips bytes of the record, and returns where they begin. */
  #skip(count: number): number {
    if (count > this.#end - this.#at) throw this.#broken("it ends too early");
    this.#at += count;
    return this.#at - count;
  }

  #broken(problem: string): LoadError {
    return new LoadError("InvalidFormat", `Cannot use unwind tables: ${problem}`, {
      section: this.#section,
      offset: this.#at,
    });
  }
}

/**
 * Checks a table and counts the functions that it describes, without empty ones.
 *
 * @param bytes The table, relocated.
 * @param start The table's offset in the image.
 * @param code The part of the image in which functions must lie.
 * @throws {LoadError} `InvalidFormat` if an unwinder would misread the table.
 */
export function countFrames(bytes: Uint8Array, section: string, start: number, code: Extent): number {
  return new FrameTable(bytes, section).count(start, code);
}
