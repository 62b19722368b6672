/**
 * Writes ELF shared libraries without code, in memory: they make the C library
 * do what it does for libraries only.
 *
 * ```text
 * offset  what            gABI
 * 0       ELF header      figure 4-3; DYN
 * 64      program headers figure 5-1
 *           PT_LOAD       the whole file, readable and writable, never executable
 *           PT_DYNAMIC
 *           PT_GNU_STACK  readable and writable: without it glibc makes every
 *                         stack of the process executable, or refuses the file
 *           PT_TLS        if there are thread-local variables
 *         dynamic section figure 5-10
 *         hash table      figure 5-12, the System V hash
 *         symbols         figure 4-15
 *         relocations     figure 4-19, with addends
 *         words           filled by the relocations
 *         strings
 *         the initial image of thread-local variables
 * ```
 */

import {
  DynamicFlag,
  DynamicTag,
  Machine,
  ObjectType,
  RecordSize,
  SectionIndex,
  SegmentFlag,
  SegmentType,
  SymbolBinding,
  SymbolKind,
} from "../../os/elf.ts";

/** Any section index: the library has no section table that it could be looked up in. */
const SOME_SECTION = 1;

/** e_machine of the processors that Deno runs on. */
export const ELF_MACHINE: Record<typeof Deno.build.arch, number> = {
  x86_64: Machine.X86_64,
  aarch64: Machine.AARCH64,
};

/** The largest page size of each processor: the C library reserves that much more than the file, and gives it back. */
const PAGE_SIZE: Readonly<Record<number, number>> = {
  [ELF_MACHINE.x86_64]: 0x1000,
  [ELF_MACHINE.aarch64]: 0x1_0000,
};

/** The name of the symbol at the first of a library's words. */
export const WORDS_NAME = "words";

/** A relocation: a word, or two, that the C library fills when it opens the library. */
export interface ElfRelocation {
  /** The offset in the words, in bytes. */
  readonly offset: number;
  readonly type: number;
  /** The position of a thread-local import; undefined for the library's own thread-local block. */
  readonly symbol: number | undefined;
  readonly addend: number;
}

/** The thread-local variables of a library, for which the C library gives each thread a TLS block. */
export interface ElfThreadLocals {
  /** The first bytes of a block; the rest is zero. */
  readonly image: Uint8Array;
  /** The size of a block, in bytes. */
  readonly size: number;
  /** The alignment of a block, a power of two. */
  readonly alignment: number;
}

/** The contents of a library. */
export interface ElfLibrary {
  /** Functions at given addresses: the value of an SHN_ABS symbol is not relocated (glibc 2.28 and later). */
  readonly functions?: readonly { readonly name: string; readonly address: bigint }[];
  /** The name by which other libraries need it. */
  readonly soname?: string;
  /** The names of the libraries that it needs. */
  readonly needed?: readonly string[];
  readonly threadLocals?: ElfThreadLocals;
  /** Thread-local variables that other libraries can import, by their offsets in the block. */
  readonly threadLocalExports?: readonly { readonly name: string; readonly offset: number }[];
  /** Thread-local variables in the libraries that it needs; a weak one may be missing. */
  readonly threadLocalImports?: readonly { readonly name: string; readonly isWeak: boolean }[];
  /** The size of the words, in bytes. */
  readonly wordBytes?: number;
  readonly relocations?: readonly ElfRelocation[];
  /** Whether a relocation needs static TLS: a block at the same distance from every thread pointer. */
  readonly needsStaticTls?: boolean;
}

/**
 * Writes a library.
 *
 * Platforms: for Linux; {@linkcode ElfLibrary.functions} needs glibc 2.28.
 */
export function writeElfLibrary(machine: number, library: ElfLibrary): Uint8Array<ArrayBuffer> {
  const { functions = [], needed = [], threadLocalImports = [], relocations = [], wordBytes = 0 } = library;
  const { threadLocals, threadLocalExports = [], soname } = library;
  const hasWords = wordBytes > 0;
  // Symbol 0 is reserved.
  const symbolCount = 1 + threadLocalImports.length + Number(hasWords) + functions.length +
    threadLocalExports.length;
  const bucketCount = Math.max(1, symbolCount - 1);
  const encoder = new TextEncoder();
  const names = [
    ...threadLocalImports.map(({ name }) => name),
    ...(hasWords ? [WORDS_NAME] : []),
    ...functions.map(({ name }) => name),
    ...threadLocalExports.map(({ name }) => name),
    ...needed,
    ...(soname === undefined ? [] : [soname]),
  ].map((name) => encoder.encode(name));
  const stringSize = names.reduce((sum, name) => sum + name.length + 1, 1);
  const headerCount = threadLocals === undefined ? 3 : 4;
  const dynamicCount = 6 + needed.length + (soname === undefined ? 0 : 1) + (relocations.length > 0 ? 3 : 0) +
    (library.needsStaticTls ? 1 : 0);

  const dynamic = RecordSize.EHDR + headerCount * RecordSize.PHDR;
  const hash = dynamic + dynamicCount * RecordSize.DYN;
  const symbols = (hash + 4 * (2 + bucketCount + symbolCount) + 7) & ~7;
  const relocationTable = symbols + RecordSize.SYM * symbolCount;
  const words = (relocationTable + RecordSize.RELA * relocations.length + 15) & ~15;
  const strings = hasWords ? words + wordBytes : relocationTable;
  const stringsEnd = strings + stringSize;
  const alignment = threadLocals?.alignment ?? 1;
  const image = Math.ceil(stringsEnd / alignment) * alignment;
  const size = threadLocals === undefined ? stringsEnd : image + threadLocals.image.length;

  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const u16 = (offset: number, value: number): void => view.setUint16(offset, value, true);
  const u32 = (offset: number, value: number): void => view.setUint32(offset, value, true);
  const u64 = (offset: number, value: number): void => view.setBigUint64(offset, BigInt(value), true);

  bytes.set([0x7f, 0x45, 0x4c, 0x46, /* ELFCLASS64 */ 2, /* ELFDATA2LSB */ 1, /* EV_CURRENT */ 1]);
  u16(16, ObjectType.DYN);
  u16(18, machine);
  u32(20, 1); // e_version
  u64(32, RecordSize.EHDR); // e_phoff
  u16(52, RecordSize.EHDR); // e_ehsize
  u16(54, RecordSize.PHDR); // e_phentsize
  u16(56, headerCount); // e_phnum

  const segments: [type: number, offset: number, fileSize: number, memorySize: number, align: number][] = [
    [SegmentType.LOAD, 0, size, size, PAGE_SIZE[machine]],
    [SegmentType.DYNAMIC, dynamic, dynamicCount * RecordSize.DYN, dynamicCount * RecordSize.DYN, 8],
    [SegmentType.GNU_STACK, 0, 0, 0, 16],
  ];
  if (threadLocals !== undefined) {
    segments.push([SegmentType.TLS, image, threadLocals.image.length, threadLocals.size, alignment]);
    bytes.set(threadLocals.image, image);
  }
  segments.forEach(([type, offset, fileSize, memorySize, align], index) => {
    const at = RecordSize.EHDR + RecordSize.PHDR * index;
    u32(at, type);
    u32(at + 4, SegmentFlag.READ | SegmentFlag.WRITE);
    u64(at + 8, offset);
    u64(at + 16, offset); // p_vaddr
    u64(at + 24, offset); // p_paddr
    u64(at + 32, fileSize);
    u64(at + 40, memorySize);
    u64(at + 48, align);
  });

  const starts: number[] = []; // the offset of each name in the strings
  let string = 1; // string 0 is empty
  for (const name of names) {
    starts.push(string);
    bytes.set(name, strings + string);
    string += name.length + 1;
  }

  const libraries = starts.slice(symbolCount - 1);
  const entries: [tag: number, value: number][] = [
    ...libraries.map((start, index): [number, number] => [
      index < needed.length ? DynamicTag.NEEDED : DynamicTag.SONAME,
      start,
    ]),
    [DynamicTag.HASH, hash],
    [DynamicTag.STRTAB, strings],
    [DynamicTag.SYMTAB, symbols],
    [DynamicTag.STRSZ, stringSize],
    [DynamicTag.SYMENT, RecordSize.SYM],
  ];
  if (relocations.length > 0) {
    entries.push(
      [DynamicTag.RELA, relocationTable],
      [DynamicTag.RELASZ, RecordSize.RELA * relocations.length],
      [DynamicTag.RELAENT, RecordSize.RELA],
    );
  }
  if (library.needsStaticTls) entries.push([DynamicTag.FLAGS, DynamicFlag.STATIC_TLS]);
  entries.push([DynamicTag.NULL, 0]);
  entries.forEach(([tag, value], index) => {
    u64(dynamic + RecordSize.DYN * index, tag);
    u64(dynamic + RecordSize.DYN * index + 8, value);
  });

  u32(hash, bucketCount);
  u32(hash + 4, symbolCount);
  const buckets = hash + 8;
  const chains = buckets + 4 * bucketCount;
  let position = 0;
  /** Adds the symbol of the next name. */
  const addSymbol = (kind: number, section: number, value: bigint, binding: number): void => {
    const index = position + 1;
    const at = symbols + RecordSize.SYM * index;
    u32(at, starts[position]);
    bytes[at + 4] = (binding << 4) | kind;
    u16(at + 6, section);
    view.setBigUint64(at + 8, value, true);
    if (section !== SectionIndex.UNDEF) {
      const bucket = buckets + 4 * (systemVHash(names[position]) % bucketCount);
      u32(chains + 4 * index, view.getUint32(bucket, true));
      u32(bucket, index);
    }
    position++;
  };
  for (const { isWeak } of threadLocalImports) {
    addSymbol(SymbolKind.TLS, SectionIndex.UNDEF, 0n, isWeak ? SymbolBinding.WEAK : SymbolBinding.GLOBAL);
  }
  const { GLOBAL } = SymbolBinding;
  if (hasWords) addSymbol(SymbolKind.OBJECT, SOME_SECTION, BigInt(words), GLOBAL);
  for (const { address } of functions) addSymbol(SymbolKind.FUNC, SectionIndex.ABS, address, GLOBAL);
  for (const { offset } of threadLocalExports) {
    addSymbol(SymbolKind.TLS, SOME_SECTION, BigInt(offset), GLOBAL);
  }

  relocations.forEach(({ offset, type, symbol, addend }, index) => {
    const at = relocationTable + RecordSize.RELA * index;
    u64(at, words + offset);
    u32(at + 8, type);
    u32(at + 12, symbol === undefined ? 0 : 1 + symbol);
    view.setBigInt64(at + 16, BigInt(addend), true);
  });
  return bytes;
}

/** The hash function of DT_HASH (gABI, chapter 5, "Hash Table"). */
function systemVHash(name: Uint8Array): number {
  let hash = 0;
  for (let index = 0; index < name.length; index++) {
    hash = ((hash << 4) + name[index]) >>> 0;
    const top = hash & 0xf000_0000;
    hash = ((hash ^ (top >>> 24)) & ~top) >>> 0;
  }
  return hash;
}

/** The name of the symbol at a position of a stub library; definitions may use any name, the library uses these. */
export function stubSymbolName(position: number): string {
  return `f${position}`;
}

/**
 * Writes a stub library: `Deno.dlopen` compiles a fast call for each symbol of a
 * library, but only for those, so each symbol of this one is one of `addresses`.
 */
export function writeElfStub(machine: number, addresses: readonly bigint[]): Uint8Array<ArrayBuffer> {
  const functions = addresses.map((address, position) => ({ name: stubSymbolName(position), address }));
  return writeElfLibrary(machine, { functions });
}
