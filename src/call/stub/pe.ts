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

const DOS_HEADER_SIZE = 64;
const FILE_HEADER_SIZE = 24; // includes the signature
const OPTIONAL_HEADER_SIZE = 240;
const DIRECTORY_COUNT = 16;
const SECTION_HEADER_SIZE = 40;
const FILE_ALIGNMENT = 512;
const SECTION_ALIGNMENT = 4096;
const HEADERS_SIZE = FILE_ALIGNMENT;

const IMAGE_FILE_MACHINE_AMD64 = 0x8664;
/** IMAGE_FILE_EXECUTABLE_IMAGE, IMAGE_FILE_LARGE_ADDRESS_AWARE, IMAGE_FILE_DLL */
const CHARACTERISTICS = 0x0002 | 0x0020 | 0x2000;
const PE32_PLUS = 0x20b;
const IMAGE_SUBSYSTEM_WINDOWS_CUI = 3;
/** HIGH_ENTROPY_VA, DYNAMIC_BASE, NX_COMPAT, NO_SEH */
const DLL_CHARACTERISTICS = 0x0020 | 0x0040 | 0x0100 | 0x0400;
/** Preferred only: the system chooses. */
const IMAGE_BASE = 0x1_8000_0000n;
const EXPORT_TABLE = 0;
const BASE_RELOCATION_TABLE = 5;

/** IMAGE_SCN_CNT_CODE, IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_READ */
const CODE = 0x0000_0020 | 0x2000_0000 | 0x4000_0000;
/** IMAGE_SCN_CNT_INITIALIZED_DATA, IMAGE_SCN_MEM_READ */
const CONSTANTS = 0x0000_0040 | 0x4000_0000;

const THUNK_SIZE = 8;
const SLOT_SIZE = 8;
const EXPORT_DIRECTORY_SIZE = 40;
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

  u16(0, 0x5a4d); // e_magic: MZ
  u32(60, DOS_HEADER_SIZE); // e_lfanew

  u32(DOS_HEADER_SIZE, 0x4550); // PE\0\0
  const file = DOS_HEADER_SIZE + 4;
  u16(file, IMAGE_FILE_MACHINE_AMD64);
  u16(file + 2, 2); // NumberOfSections
  u16(file + 16, OPTIONAL_HEADER_SIZE); // SizeOfOptionalHeader
  u16(file + 18, CHARACTERISTICS);

  const optional = DOS_HEADER_SIZE + FILE_HEADER_SIZE;
  u16(optional, PE32_PLUS);
  u32(optional + 4, textFileSize); // SizeOfCode
  u32(optional + 8, rdataFileSize); // SizeOfInitializedData
  u32(optional + 20, text); // BaseOfCode
  u64(optional + 24, IMAGE_BASE);
  u32(optional + 32, SECTION_ALIGNMENT);
  u32(optional + 36, FILE_ALIGNMENT);
  u16(optional + 40, 6); // MajorOperatingSystemVersion
  u16(optional + 48, 6); // MajorSubsystemVersion
  u32(optional + 56, rdata + alignUp(rdataSize, SECTION_ALIGNMENT)); // SizeOfImage
  u32(optional + 60, HEADERS_SIZE); // SizeOfHeaders
  u16(optional + 68, IMAGE_SUBSYSTEM_WINDOWS_CUI);
  u16(optional + 70, DLL_CHARACTERISTICS);
  u32(optional + 108, DIRECTORY_COUNT); // NumberOfRvaAndSizes
  const dataDirectory = (index: number, at: number, size: number): void => {
    u32(optional + 112 + 8 * index, at);
    u32(optional + 116 + 8 * index, size);
  };
  dataDirectory(EXPORT_TABLE, directory, relocations - directory);
  dataDirectory(BASE_RELOCATION_TABLE, relocations, RELOCATION_BLOCK_SIZE);

  const sectionHeader = (
    index: number,
    name: string,
    size: number,
    at: number,
    fileSize: number,
    fileOffset: number,
    flags: number,
  ): void => {
    const header = optional + OPTIONAL_HEADER_SIZE + SECTION_HEADER_SIZE * index;
    bytes.set(ascii(name), header);
    u32(header + 8, size); // VirtualSize
    u32(header + 12, at); // VirtualAddress
    u32(header + 16, fileSize); // SizeOfRawData
    u32(header + 20, fileOffset); // PointerToRawData
    u32(header + 36, flags);
  };
  sectionHeader(0, ".text", textSize, text, textFileSize, HEADERS_SIZE, CODE);
  sectionHeader(1, ".rdata", rdataSize, rdata, rdataFileSize, HEADERS_SIZE + textFileSize, CONSTANTS);

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
  u32(inRdata(directory) + 12, addString(fileName)); // Name RVA
  u32(inRdata(directory) + 16, 1); // Ordinal Base
  u32(inRdata(directory) + 20, count); // Address Table Entries
  u32(inRdata(directory) + 24, count); // Number of Name Pointers
  u32(inRdata(directory) + 28, exportAddresses);
  u32(inRdata(directory) + 32, namePointers);
  u32(inRdata(directory) + 36, ordinals);
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

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
