/**
 * Reads the records of call frame information (LSB Core, "Exception Frames") one by one, for the
 * linker, which sorts them out, and for the loader, which checks them before an unwinder sees them.
 *
 * ```text
 * record   length: u32 (0 ends the table), id: u32, length - 4 bytes
 * CIE      id 0
 * FDE      id = distance back from the field to the CIE that it belongs to
 * ```
 */
import type { LoadError } from "../errors/load_error.ts";

/** Makes the error for a broken record; `offset` counts from the start of the table. */
export type FrameProblem = (problem: string, offset: number) => LoadError;

/**
 * Walks over one table. The fields describe the current record, so that a table of many records
 * costs no object for each.
 */
export class FrameRecords {
  /** Offset of the current record in the table. */
  start = 0;
  /** Offset of the record's first byte behind length and id. */
  body = 0;
  /** Offset of the first byte behind the record. */
  end = 0;
  /** Offset of the CIE that an FDE belongs to; -1 if the record is a CIE. */
  cie = -1;
  /** Whether the table ended with a record of length 0, rather than with its last byte. */
  isTerminated = false;
  readonly #view: DataView;
  readonly #broken: FrameProblem;
  readonly #cies: Set<number> = new Set();

  /** @param bytes The whole table and nothing else. */
  constructor(bytes: Uint8Array, broken: FrameProblem) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#broken = broken;
  }

  /**
   * Goes on to the next record.
   *
   * @returns false at the end of the table.
   * @throws {LoadError} if the record passes the end of the table, or is an FDE without a CIE before it.
   */
  next(): boolean {
    const view = this.#view;
    const start = this.end;
    const left = view.byteLength - start - 4;
    if (left < 0) return false;
    const length = view.getUint32(start, true);
    if (length === 0) {
      this.isTerminated = true;
      return false;
    }
    // A length of 2³² - 1 announces a 64-bit length, which no compiler writes; it is too long here as well.
    if (length < 4 || length > left) throw this.#broken("a record is longer than its table", start + 4);
    const back = view.getUint32(start + 4, true);
    this.start = start;
    this.body = start + 8;
    this.end = start + 4 + length;
    this.cie = back === 0 ? -1 : start + 4 - back;
    if (back === 0) this.#cies.add(start);
    else if (!this.#cies.has(this.cie)) throw this.#broken("an FDE belongs to no CIE before it", start + 8);
    return true;
  }
}
