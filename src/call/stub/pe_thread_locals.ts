/**
 * Writes a DLL, for Windows, that contains nothing but thread-local variables (PE Format, "The .tls Section"): the
 * system gives it a number, and each thread a block, which begins as a copy of the DLL's bytes.
 *
 * ```text
 * memory    what
 * 4096      TLS directory: start and end of the bytes, where the number goes, no functions; zeros behind them
 *           the number, which the system writes
 *           export directory with one name, that of the number
 *           relocations of the three addresses in the TLS directory
 *           the bytes
 * ```
 */
import { alignUp } from "../../smf/offsets.ts";
import {
  Directory,
  FILE_ALIGNMENT,
  HEADERS_SIZE,
  IMAGE_BASE,
  IMAGE_REL_BASED_DIR64,
  SECTION_ALIGNMENT,
  SectionContent,
  TLS_DIRECTORY_SIZE,
  writePeHeaders,
} from "./pe_headers.ts";
import { placeSingleExport, writeSingleExport } from "./pe_exports.ts";

/** The name of the export that leads to the number, 32 bits. */
export const TLS_NUMBER = "smf_tls_number";

const FILE_NAME = "smf-tls.dll";
/** A header, three entries, and one that pads. */
const RELOCATIONS_SIZE = 8 + 2 * 4;

/**
 * Writes the library.
 *
 * @param image The bytes that a block begins with.
 * @param size The size of a block; zeros follow the bytes.
 * @param alignment A power of two up to 16, as the system aligns blocks.
 */
export function writePeThreadLocals(
  image: Uint8Array,
  size: number,
  alignment: number,
): Uint8Array<ArrayBuffer> {
  const start = SECTION_ALIGNMENT;
  const number = start + TLS_DIRECTORY_SIZE;
  const exports = number + 8;
  const single = placeSingleExport(exports, FILE_NAME, TLS_NUMBER), relocations = single.end;
  const bytesAt = alignUp(relocations + RELOCATIONS_SIZE, 16);
  const end = bytesAt + image.length;
  const fileSize = alignUp(end - start, FILE_ALIGNMENT);
  const bytes = new Uint8Array(HEADERS_SIZE + fileSize);
  writePeHeaders(bytes, [
    {
      ...{ name: ".data", size: end - start, at: start, fileSize, fileOffset: HEADERS_SIZE },
      flags: SectionContent.VARIABLES,
    },
  ], {
    [Directory.EXPORTS]: [exports, relocations - exports],
    [Directory.RELOCATIONS]: [relocations, RELOCATIONS_SIZE],
    [Directory.THREAD_LOCALS]: [start, TLS_DIRECTORY_SIZE],
  });
  const view = new DataView(bytes.buffer);
  const inFile = (at: number): number => at - start + HEADERS_SIZE;
  const u16 = (at: number, value: number): void => view.setUint16(inFile(at), value, true);
  const u32 = (at: number, value: number): void => view.setUint32(inFile(at), value, true);
  const address = (at: number, target: number): void =>
    view.setBigUint64(inFile(at), IMAGE_BASE + BigInt(target), true);
  address(start, bytesAt); // StartAddressOfRawData
  address(start + 8, end); // EndAddressOfRawData
  address(start + 16, number); // AddressOfIndex
  u32(start + 32, size - image.length); // SizeOfZeroFill
  u32(start + 36, Math.log2(alignment) + 1 << 20); // Characteristics: the alignment, as in section headers
  writeSingleExport(bytes, single, {
    distance: HEADERS_SIZE - start,
    dll: FILE_NAME,
    name: TLS_NUMBER,
    value: number,
  });
  u32(relocations, start); // Page RVA
  u32(relocations + 4, RELOCATIONS_SIZE);
  [0, 8, 16].forEach((offset, i) => u16(relocations + 8 + 2 * i, IMAGE_REL_BASED_DIR64 << 12 | offset));
  bytes.set(image, inFile(bytesAt));
  return bytes;
}
