/**
 * Writes the library by which debuggers learn of code that is loaded at run time (gdb's JIT Compilation Interface,
 * which lldb has, too): a function that does nothing, on which debuggers have a breakpoint, and a descriptor that
 * leads to the list of what is loaded.
 *
 * ```text
 * page 0   headers, dynamic section, symbols       readable, writable
 * page 1   __jit_debug_register_code               readable, executable
 * page 2   __jit_debug_descriptor                  readable, writable
 * behind   section names and section headers: gdb looks symbols up by these
 * ```
 */
import {
  DynamicTag,
  Machine,
  ObjectType,
  RecordSize,
  SectionFlag,
  SectionType,
  SegmentFlag,
  SegmentType,
  SymbolBinding,
  SymbolKind,
} from "./elf.ts";

/** The function that a debugger has a breakpoint on. */
export const REGISTER_CODE = "__jit_debug_register_code";
/** The variable that a debugger reads. */
export const DESCRIPTOR = "__jit_debug_descriptor";
/** The size of the descriptor in bytes: version, action, relevant entry, first entry. */
export const DESCRIPTOR_SIZE = 24;

/** The largest page of each processor, and the instruction that returns. */
const PROCESSORS: Readonly<Record<number, { readonly page: number; readonly ret: readonly number[] }>> = {
  [Machine.X86_64]: { page: 0x1000, ret: [0xc3] },
  [Machine.AARCH64]: { page: 0x1_0000, ret: [0xc0, 0x03, 0x5f, 0xd6] },
};

/** Writes the library. */
export function writeJitLibrary(machine: number): Uint8Array<ArrayBuffer> {
  const { page, ret } = PROCESSORS[machine];
  const names = new TextEncoder().encode(`\0${REGISTER_CODE}\0${DESCRIPTOR}\0`);
  const sectionNames = "\0.text\0.data\0.dynsym\0.dynstr\0.dynamic\0.hash\0.shstrtab\0";
  const segments = 5;
  const dynamic = RecordSize.EHDR + segments * RecordSize.PHDR;
  const symbols = dynamic + 6 * RecordSize.DYN;
  const strings = symbols + 3 * RecordSize.SYM;
  const hash = (strings + names.length + 7) & ~7;
  const hashSize = 4 * (2 + 1 + 3);
  const headersEnd = hash + hashSize;
  const sectionStrings = 3 * page;
  const table = (sectionStrings + sectionNames.length + 7) & ~7;
  const bytes = new Uint8Array(table + 8 * RecordSize.SHDR);
  const view = new DataView(bytes.buffer);
  const u16 = (at: number, value: number): void => view.setUint16(at, value, true);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, true);
  const u64 = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);

  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little-endian, version
  u16(16, ObjectType.DYN);
  u16(18, machine);
  u32(20, 1); // e_version
  u64(32, RecordSize.EHDR); // e_phoff
  u64(40, table); // e_shoff
  u16(52, RecordSize.EHDR);
  u16(54, RecordSize.PHDR);
  u16(56, segments);
  u16(58, RecordSize.SHDR);
  u16(60, 8); // e_shnum
  u16(62, 7); // e_shstrndx

  const { READ, WRITE, EXECUTE } = SegmentFlag;
  const segment = (
    index: number,
    type: number,
    flags: number,
    at: number,
    size: number,
    align: number,
  ): void => {
    const header = RecordSize.EHDR + index * RecordSize.PHDR;
    u32(header, type);
    u32(header + 4, flags);
    for (const field of [8, 16, 24]) u64(header + field, at); // p_offset, p_vaddr, p_paddr
    u64(header + 32, size); // p_filesz
    u64(header + 40, size); // p_memsz
    u64(header + 48, align);
  };
  segment(0, SegmentType.LOAD, READ | WRITE, 0, headersEnd, page);
  segment(1, SegmentType.LOAD, READ | EXECUTE, page, ret.length, page);
  segment(2, SegmentType.LOAD, READ | WRITE, 2 * page, DESCRIPTOR_SIZE, page);
  segment(3, SegmentType.DYNAMIC, READ | WRITE, dynamic, 6 * RecordSize.DYN, 8);
  segment(4, SegmentType.GNU_STACK, READ | WRITE, 0, 0, 16);

  [
    [DynamicTag.HASH, hash],
    [DynamicTag.STRTAB, strings],
    [DynamicTag.SYMTAB, symbols],
    [DynamicTag.STRSZ, names.length],
    [DynamicTag.SYMENT, RecordSize.SYM],
    [DynamicTag.NULL, 0],
  ].forEach(([tag, value], index) => {
    u64(dynamic + index * RecordSize.DYN, tag);
    u64(dynamic + index * RecordSize.DYN + 8, value);
  });

  bytes.set(names, strings);
  const symbol = (
    index: number,
    name: number,
    kind: number,
    section: number,
    value: number,
    size: number,
  ): void => {
    const at = symbols + index * RecordSize.SYM;
    u32(at, name);
    bytes[at + 4] = (SymbolBinding.GLOBAL << 4) | kind;
    u16(at + 6, section);
    u64(at + 8, value);
    u64(at + 16, size);
  };
  symbol(1, 1, SymbolKind.FUNC, 1, page, ret.length);
  symbol(2, 2 + REGISTER_CODE.length, SymbolKind.OBJECT, 2, 2 * page, DESCRIPTOR_SIZE);
  // One bucket, whose chain has both.
  [1, 3, 1, 0, 2, 0].forEach((word, index) => u32(hash + 4 * index, word));

  bytes.set(ret, page);
  u32(2 * page, 1); // the version of the interface

  bytes.set(new TextEncoder().encode(sectionNames), sectionStrings);
  const { ALLOC, WRITE: WRITABLE, EXECINSTR } = SectionFlag;
  const section = (
    index: number,
    name: string,
    type: number,
    flags: number,
    at: number,
    size: number,
    { link = 0, info = 0, entrySize = 0 } = {},
  ): void => {
    const header = table + index * RecordSize.SHDR;
    u32(header, sectionNames.indexOf(`${name}\0`));
    u32(header + 4, type);
    u64(header + 8, flags);
    u64(header + 16, (flags & ALLOC) === 0 ? 0 : at);
    u64(header + 24, at);
    u64(header + 32, size);
    u32(header + 40, link);
    u32(header + 44, info);
    u64(header + 48, 1);
    u64(header + 56, entrySize);
  };
  section(1, ".text", SectionType.PROGBITS, ALLOC | EXECINSTR, page, ret.length);
  section(2, ".data", SectionType.PROGBITS, ALLOC | WRITABLE, 2 * page, DESCRIPTOR_SIZE);
  section(3, ".dynsym", SectionType.DYNSYM, ALLOC, symbols, 3 * RecordSize.SYM, {
    link: 4,
    info: 1,
    entrySize: 24,
  });
  section(4, ".dynstr", SectionType.STRTAB, ALLOC, strings, names.length);
  section(5, ".dynamic", SectionType.DYNAMIC, ALLOC | WRITABLE, dynamic, 6 * RecordSize.DYN, {
    link: 4,
    entrySize: 16,
  });
  section(6, ".hash", SectionType.HASH, ALLOC, hash, hashSize, { link: 3, entrySize: 4 });
  section(7, ".shstrtab", SectionType.STRTAB, 0, sectionStrings, sectionNames.length);
  return bytes;
}
