/**
 * Writes a DLL, for Windows, whose functions jump to given addresses.
 *
 * An export of a DLL is an offset into the DLL, so unlike an ELF symbol it
 * cannot be an address elsewhere. Each export is a thunk of one instruction:
 *
 * ```text
 * file   memory    what                    PE/COFF specification ("PE Format")
 * 0      0         MS-DOS header           "MS-DOS Stub"; only its last field, e_lfanew, is read
 * 64     64        signature, file header  "Signature", "COFF File Header"
 * 88     88        optional header         "Optional Header", PE32+, 16 data directories
 * 328    328       2 section headers       "Section Table"
 * 512    4096      .text   read, execute
 *          thunk i   ff 25 disp32          jmp [rip + disp32]: slot i
 *                    cc cc                 int3
 * …      …         .rdata  read
 *          slot i    the address
 *          export directory                "The .edata Section"
 *          an empty relocation block       "The .reloc Section"
 * ```
 *
 * No section is writable, and the DLL has no entry point. The empty relocation
 * block says that the image may lie anywhere, which is true: all of it is
 * relative.
 */

import { alignUp } from "../../smf/offsets.ts";
import {
  ascii,
  Directory,
  FILE_ALIGNMENT,
  HEADERS_SIZE,
  SECTION_ALIGNMENT,
  SectionContent,
  writePeHeaders,
} from "./pe_headers.ts";
import { EXPORT_DIRECTORY_SIZE, writeExportDirectory } from "./pe_exports.ts";

const THUNK_SIZE = 8;
const SLOT_SIZE = 8;
/** A header and two entries of type IMAGE_REL_BASED_ABSOLUTE, which are padding. */
const RELOCATION_BLOCK_SIZE = 12;

/**
 * Writes a stub library for x86-64.
 *
 * @param fileName The name in the library's export directory.
 * @param names The names of its exports, in ASCII.
 * @param addresses The address that each export jumps to.
 */
export function writePeStub(
  fileName: string,
  names: readonly string[],
  addresses: readonly bigint[],
): Uint8Array<ArrayBuffer> {
  const count = names.length;
  const textSize = THUNK_SIZE * count;
  const text = SECTION_ALIGNMENT;
  const rdata = text + alignUp(textSize, SECTION_ALIGNMENT);

  // These are offsets in memory, from the beginning of the image.
  const slots = rdata;
  const directory = slots + SLOT_SIZE * count;
  const exportAddresses = directory + EXPORT_DIRECTORY_SIZE;
  const namePointers = exportAddresses + 4 * count;
  const ordinals = namePointers + 4 * count;
  const strings = ordinals + 2 * count;
  const stringsEnd = [fileName, ...names].reduce((at, name) => at + name.length + 1, strings);
  const relocations = alignUp(stringsEnd, 4);
  const rdataSize = relocations + RELOCATION_BLOCK_SIZE - rdata;

  const textFileSize = alignUp(textSize, FILE_ALIGNMENT);
  const rdataFileSize = alignUp(rdataSize, FILE_ALIGNMENT);
  const bytes = new Uint8Array(HEADERS_SIZE + textFileSize + rdataFileSize);
  const view = new DataView(bytes.buffer);
  const u16 = (offset: number, value: number): void => view.setUint16(offset, value, true);
  const u32 = (offset: number, value: number): void => view.setUint32(offset, value, true);
  const u64 = (offset: number, value: bigint): void => view.setBigUint64(offset, value, true);

  writePeHeaders(bytes, [
    {
      name: ".text",
      size: textSize,
      at: text,
      fileSize: textFileSize,
      fileOffset: HEADERS_SIZE,
      flags: SectionContent.CODE,
    },
    {
      name: ".rdata",
      size: rdataSize,
      at: rdata,
      fileSize: rdataFileSize,
      fileOffset: HEADERS_SIZE + textFileSize,
      flags: SectionContent.CONSTANTS,
    },
  ], {
    [Directory.EXPORTS]: [directory, relocations - directory],
    [Directory.RELOCATIONS]: [relocations, RELOCATION_BLOCK_SIZE],
  });

  // Sections lie elsewhere in the file than in memory: these turn offsets in memory into offsets in the file.
  const inText = (at: number): number => at - text + HEADERS_SIZE;
  const inRdata = (at: number): number => at - rdata + HEADERS_SIZE + textFileSize;

  addresses.forEach((address, position) => {
    const thunk = text + THUNK_SIZE * position;
    const slot = slots + SLOT_SIZE * position;
    u16(inText(thunk), 0x25ff);
    u32(inText(thunk) + 2, slot - (thunk + 6));
    u16(inText(thunk) + 6, 0xcccc);
    u64(inRdata(slot), address);
    u32(inRdata(exportAddresses) + 4 * position, thunk);
  });

  let string = strings;
  const addString = (text: string): number => {
    const at = string;
    bytes.set(ascii(text), inRdata(at));
    string += text.length + 1;
    return at;
  };
  writeExportDirectory(view, inRdata(directory), {
    fileName: addString(fileName),
    count,
    addresses: exportAddresses,
    names: namePointers,
    ordinals,
  });
  // Windows finds names by binary search, so they must be in the order of their bytes.
  const sorted = names.map((name, position) => ({ name, position }))
    .sort((left, right) => left.name < right.name ? -1 : 1);
  sorted.forEach(({ name, position }, index) => {
    u32(inRdata(namePointers) + 4 * index, addString(name));
    u16(inRdata(ordinals) + 2 * index, position);
  });
  u32(inRdata(relocations), rdata); // Page RVA
  u32(inRdata(relocations) + 4, RELOCATION_BLOCK_SIZE);
  return bytes;
}
