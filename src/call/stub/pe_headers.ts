/**
 * Writes the headers of DLLs for x86-64 Windows (Microsoft, "PE Format").
 */
import { alignUp } from "../../smf/offsets.ts";

const DOS_HEADER_SIZE = 64;
const FILE_HEADER_SIZE = 24; // includes the signature
const OPTIONAL_HEADER_SIZE = 240;
const DIRECTORY_COUNT = 16;
const SECTION_HEADER_SIZE = 40;
export const FILE_ALIGNMENT = 512;
export const SECTION_ALIGNMENT = 4096;
export const HEADERS_SIZE = FILE_ALIGNMENT;

const IMAGE_FILE_MACHINE_AMD64 = 0x8664;
/** IMAGE_FILE_EXECUTABLE_IMAGE, IMAGE_FILE_LARGE_ADDRESS_AWARE, IMAGE_FILE_DLL */
const CHARACTERISTICS = 0x0002 | 0x0020 | 0x2000;
const PE32_PLUS = 0x20b;
const IMAGE_SUBSYSTEM_WINDOWS_CUI = 3;
/** HIGH_ENTROPY_VA, DYNAMIC_BASE, NX_COMPAT, NO_SEH */
const DLL_CHARACTERISTICS = 0x0020 | 0x0040 | 0x0100 | 0x0400;
/** Preferred only: the system chooses. */
export const IMAGE_BASE = 0x1_8000_0000n;
/** The numbers of data directories. */
export const Directory = { EXPORTS: 0, FUNCTIONS: 3, RELOCATIONS: 5, THREAD_LOCALS: 9 } as const;

/** IMAGE_SCN_CNT_CODE */
const CODE = 0x0000_0020;
/** IMAGE_SCN_CNT_INITIALIZED_DATA, and IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_READ, IMAGE_SCN_MEM_WRITE. */
const [INITIALIZED, EXECUTE, READ, WRITE] = [0x0000_0040, 0x2000_0000, 0x4000_0000, 0x8000_0000];
/** The flags of a section with what is in it. */
export const SectionContent = {
  CODE: CODE | EXECUTE | READ,
  CONSTANTS: INITIALIZED | READ,
  VARIABLES: INITIALIZED + READ + WRITE,
} as const;

/** A section of a DLL. */
export interface PeSection {
  readonly name: string;
  /** Its size in memory, and its offset there. */
  readonly size: number;
  readonly at: number;
  /** Its size in the file, and its offset there. */
  readonly fileSize: number;
  readonly fileOffset: number;
  /** One of {@linkcode SectionContent}. */
  readonly flags: number;
}

/**
 * Writes the headers of a DLL without an entry point, which may lie anywhere.
 *
 * @param bytes The file; its headers are still zero.
 * @param sections In the order of their offsets; code first, if there is any.
 * @param directories Offset and size in memory, by {@linkcode Directory}.
 */
export function writePeHeaders(
  bytes: Uint8Array<ArrayBuffer>,
  sections: readonly PeSection[],
  directories: Readonly<Record<number, readonly [at: number, size: number]>>,
): void {
  const view = new DataView(bytes.buffer);
  const u16 = (offset: number, value: number): void => view.setUint16(offset, value, true);
  const u32 = (offset: number, value: number): void => view.setUint32(offset, value, true);
  const sizeOf = (isCode: boolean): number =>
    sections.reduce((sum, { flags, fileSize }) => (flags & CODE) !== 0 === isCode ? sum + fileSize : sum, 0);
  const [first] = sections, last = sections.at(-1)!;
  u16(0, 0x5a4d); // e_magic: MZ
  u32(60, DOS_HEADER_SIZE); // e_lfanew

  u32(DOS_HEADER_SIZE, 0x4550); // PE\0\0
  const file = DOS_HEADER_SIZE + 4;
  u16(file, IMAGE_FILE_MACHINE_AMD64);
  u16(file + 2, sections.length); // NumberOfSections
  u16(file + 16, OPTIONAL_HEADER_SIZE); // SizeOfOptionalHeader
  u16(file + 18, CHARACTERISTICS);

  const optional = DOS_HEADER_SIZE + FILE_HEADER_SIZE;
  u16(optional, PE32_PLUS);
  u32(optional + 4, sizeOf(true)); // SizeOfCode
  u32(optional + 8, sizeOf(false)); // SizeOfInitializedData
  u32(optional + 20, first.at); // BaseOfCode
  view.setBigUint64(optional + 24, IMAGE_BASE, true);
  u32(optional + 32, SECTION_ALIGNMENT);
  u32(optional + 36, FILE_ALIGNMENT);
  u16(optional + 40, 6); // MajorOperatingSystemVersion
  u16(optional + 48, 6); // MajorSubsystemVersion
  u32(optional + 56, last.at + alignUp(last.size, SECTION_ALIGNMENT)); // SizeOfImage
  u32(optional + 60, HEADERS_SIZE); // SizeOfHeaders
  u16(optional + 68, IMAGE_SUBSYSTEM_WINDOWS_CUI);
  u16(optional + 70, DLL_CHARACTERISTICS);
  u32(optional + 108, DIRECTORY_COUNT); // NumberOfRvaAndSizes
  for (const [index, [at, size]] of Object.entries(directories)) {
    u32(optional + 112 + 8 * Number(index), at);
    u32(optional + 116 + 8 * Number(index), size);
  }
  sections.forEach(({ name, size, at, fileSize, fileOffset, flags }, index) => {
    const header = optional + OPTIONAL_HEADER_SIZE + SECTION_HEADER_SIZE * index;
    bytes.set(ascii(name), header);
    u32(header + 8, size); // VirtualSize
    u32(header + 12, at); // VirtualAddress
    u32(header + 16, fileSize); // SizeOfRawData
    u32(header + 20, fileOffset); // PointerToRawData
    u32(header + 36, flags);
  });
}

/** The size of a TLS directory ("The .tls Section"), and the kind of a relocation of 64 bits. */
export const TLS_DIRECTORY_SIZE = 40, IMAGE_REL_BASED_DIR64 = 10;

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
