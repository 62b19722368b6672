/**
 * The table of functions of a module for Windows (Microsoft, "x64 exception handling", "struct RUNTIME_FUNCTION"):
 * looked over before the system gets it, which believes all that it reads.
 *
 * ```text
 * entry         start, end: u32; unwind data: u32; all as distances from the start of the image
 * unwind data   version and flags: u8, prologue: u8, count of codes: u8, frame register: u8,
 *               codes: u16 each; then a handler's u32, or another entry
 * ```
 *
 * Codes and handlers are not judged: like machine code, they are the module's own affair.
 */
import { LoadError } from "../errors/load_error.ts";
import type { Extent } from "./eh_frame.ts";

const ENTRY_SIZE = 12;
const HEADER_SIZE = 4;

/** UNW_FLAG_EHANDLER and UNW_FLAG_UHANDLER; UNW_FLAG_CHAININFO. */
const HANDLERS = 0x3, CHAINED = 0x4;
/** The versions of unwind data that Windows reads. */
const VERSIONS: readonly number[] = [1, 2];

/**
 * Checks a table and the unwind data that it leads to.
 *
 * @param image The image in memory, from its start.
 * @param table The offsets of the table in it.
 * @param code The offsets of its code in it.
 * @returns the number of entries.
 * @throws {LoadError} `InvalidFormat` if an entry leads out of the code or the image, or if the entries are not in order.
 */
export function countFunctions(image: Uint8Array, table: Extent, code: Extent, section: string): number {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const broken = (problem: string, offset: number) =>
    new LoadError("InvalidFormat", `Cannot use table of functions: ${problem}`, {
      section,
      offset: offset - table.start,
      hint: "link the objects again: smf link keeps these tables whole",
    });
  const checkUnwindData = (at: number, from: number): void => {
    if (at % 4 !== 0 || at + HEADER_SIZE > image.length) {
      throw broken("unwind data lies outside the image", from);
    }
    const first = image[at], flags = first >>> 3;
    if (!VERSIONS.includes(first & 7)) throw broken(`unwind data has version ${first & 7}`, from);
    // An odd count of codes is padded.
    const tail = at + HEADER_SIZE + 2 * (image[at + 2] + image[at + 2] % 2);
    const size = (flags & CHAINED) !== 0 ? ENTRY_SIZE : (flags & HANDLERS) !== 0 ? 4 : 0;
    if (tail + size > image.length) throw broken("unwind data passes the end of the image", from);
  };
  let last = code.start;
  const end = table.end - (table.end - table.start) % ENTRY_SIZE;
  for (let at = table.start; at < end; at += ENTRY_SIZE) {
    const [start, stop] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    if (start < last || stop <= start) throw broken("functions are not in the order of their addresses", at);
    if (stop > code.end) throw broken("a function lies outside the code", at);
    checkUnwindData(view.getUint32(at + 8, true), at);
    last = stop;
  }
  return (end - table.start) / ENTRY_SIZE;
}
