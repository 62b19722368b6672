/**
 * Writes a DLL, for Windows, that the system tells when a thread begins or ends (PE Format, "TLS Callback Functions"),
 * and that passes it on to a table of functions, by code of its own.
 *
 * ```text
 * memory    what
 * 4096      the code, and its unwind data
 * 8192      TLS directory; the list of functions, which has one; the bytes of a block, which are zero
 *           the words: start and end of the table, and what the functions get as their first argument
 *           the number of the TLS blocks, which nobody reads
 *           function table; export directory with one name, that of the words; relocations
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

/** The name of the export that leads to the words: three of 64 bits. The functions run while start is below end. */
export const CALLBACK_WORDS = "smf_thread_callbacks";

const FILE_NAME = "smf-threads.dll";

/** `void callback(void *, uint32_t reason, void *)`: calls the functions when a thread begins (2) or ends (3). */
// deno-fmt-ignore
const CODE = [
  0x53, 0x56, // push %rbx; push %rsi
  0x48, 0x83, 0xec, 0x28, // sub $40, %rsp
  0x8d, 0x42, 0xfe, // lea -2(%rdx), %eax
  0x83, 0xf8, 0x01, // cmp $1, %eax
  0x77, 0x33, // ja to the end
  0x48, 0x8b, 0x1d, 0, 0, 0, 0, // mov start(%rip), %rbx
  0x89, 0xd6, // mov %edx, %esi
  0x48, 0x3b, 0x1d, 0, 0, 0, 0, // cmp end(%rip), %rbx
  0x73, 0x21, // jae to the end
  0x48, 0x8b, 0x03, // mov (%rbx), %rax
  0x48, 0x83, 0xc3, 0x08, // add $8, %rbx
  0x48, 0x8d, 0x48, 0xff, // lea -1(%rax), %rcx
  0x48, 0x83, 0xf9, 0xfd, // cmp $-3, %rcx
  0x77, 0xe6, // ja to cmp end: 0 and -1 mark the ends of tables
  0x48, 0x8b, 0x0d, 0, 0, 0, 0, // mov argument(%rip), %rcx
  0x89, 0xf2, // mov %esi, %edx
  0x45, 0x31, 0xc0, // xor %r8d, %r8d
  0xff, 0xd0, // call *%rax
  0xeb, 0xd6, // jmp to cmp end
  0x48, 0x83, 0xc4, 0x28, // add $40, %rsp
  0x5e, 0x5b, // pop %rsi; pop %rbx
  0xc3, // ret
];
/** Where the code has the distances of the words, each from its own end. */
const WORD_DISTANCES = [17, 26, 52];
/** Version 1, a prologue of 6 bytes, 3 codes: at 6 UWOP_ALLOC_SMALL of 40 bytes, at 2 and 1 UWOP_PUSH_NONVOL; padding. */
const UNWIND = [0x01, 0x06, 0x03, 0x00, 0x06, 0x42, 0x02, 0x60, 0x01, 0x30, 0x00, 0x00];

/** The size of blocks, which are of no use. */
const BLOCK_SIZE = 16;
const FUNCTION_ENTRY_SIZE = 12;

/** Writes the library. */
export function writePeThreadCallbacks(): Uint8Array<ArrayBuffer> {
  const code = SECTION_ALIGNMENT, unwind = code + alignUp(CODE.length, 4);
  const codeSize = unwind + UNWIND.length - code;
  const start = 2 * SECTION_ALIGNMENT;
  const list = start + TLS_DIRECTORY_SIZE, block = list + 2 * 8;
  const words = block + BLOCK_SIZE, number = words + 3 * 8;
  const functions = number + 8;
  const exports = functions + alignUp(FUNCTION_ENTRY_SIZE, 8);
  const single = placeSingleExport(exports, FILE_NAME, CALLBACK_WORDS), relocations = single.end;
  /** The places of addresses, by their targets. */
  const addresses: readonly (readonly [at: number, target: number])[] = [
    [start, block], // StartAddressOfRawData
    [start + 8, block + BLOCK_SIZE], // EndAddressOfRawData
    [start + 16, number], // AddressOfIndex
    [start + 24, list], // AddressOfCallBacks
    [list, code],
  ];
  // A header, and an even number of entries.
  const relocationsSize = 8 + 2 * alignUp(addresses.length, 2);
  const size = relocations + relocationsSize - start;
  const [codeFileSize, fileSize] = [alignUp(codeSize, FILE_ALIGNMENT), alignUp(size, FILE_ALIGNMENT)];
  const dataOffset = HEADERS_SIZE + codeFileSize;
  const bytes = new Uint8Array(dataOffset + fileSize);
  writePeHeaders(bytes, [
    {
      ...{ name: ".text", size: codeSize, at: code, fileSize: codeFileSize, fileOffset: HEADERS_SIZE },
      flags: SectionContent.CODE,
    },
    {
      ...{ name: ".data", size, at: start, fileSize, fileOffset: dataOffset },
      flags: SectionContent.VARIABLES,
    },
  ], {
    [Directory.EXPORTS]: [exports, relocations - exports],
    [Directory.FUNCTIONS]: [functions, FUNCTION_ENTRY_SIZE],
    [Directory.RELOCATIONS]: [relocations, relocationsSize],
    [Directory.THREAD_LOCALS]: [start, TLS_DIRECTORY_SIZE],
  });
  const view = new DataView(bytes.buffer);
  const inFile = (at: number): number => at < start ? at - code + HEADERS_SIZE : at - start + dataOffset;
  const u32 = (at: number, value: number): void => view.setUint32(inFile(at), value, true);
  bytes.set(CODE, inFile(code));
  WORD_DISTANCES.forEach((at, word) => u32(code + at, words + 8 * word - (code + at + 4)));
  bytes.set(UNWIND, inFile(unwind));
  u32(functions, code);
  u32(functions + 4, code + CODE.length);
  u32(functions + 8, unwind);
  writeSingleExport(bytes, single, {
    distance: dataOffset - start,
    dll: FILE_NAME,
    name: CALLBACK_WORDS,
    value: words,
  });
  u32(relocations, start); // Page RVA
  u32(relocations + 4, relocationsSize);
  addresses.forEach(([at, target], i) => {
    view.setBigUint64(inFile(at), IMAGE_BASE + BigInt(target), true);
    view.setUint16(inFile(relocations) + 8 + 2 * i, IMAGE_REL_BASED_DIR64 << 12 | at - start, true);
  });
  return bytes;
}
