/**
 * A shared library of a few hundred bytes whose symbols ARE given addresses.
 *
 * `Deno.dlopen` compiles a direct call for each symbol of a library, but only
 * for symbols of a library. So one is written that holds no code at all:
 *
 * ```text
 * offset  what            gABI
 * 0       ELF header      figure 4-3; DYN
 * 64      3 program headers  figure 5-1
 *           PT_LOAD       the whole file, readable and writable, never executable
 *           PT_DYNAMIC
 *           PT_GNU_STACK  readable and writable: without it glibc makes every
 *                         stack of the process executable, or refuses the file
 * 232     dynamic section figure 5-10: DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT
 *         hash table      figure 5-12, the System V hash
 *         symbols         figure 4-15: STB_GLOBAL, STT_FUNC, SHN_ABS, st_value = the address
 *         strings
 * ```
 *
 * The value of an SHN_ABS symbol is not relocated (glibc 2.28 and later).
 */

const ELF_HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const SYMBOL_SIZE = 24;
const DYNAMIC_ENTRY_SIZE = 16;

const ET_DYN = 3;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_GNU_STACK = 0x6474_e551;
const PF_READ_WRITE = 6;
const DT_NULL = 0;
const DT_HASH = 4;
const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_STRSZ = 10;
const DT_SYMENT = 11;
const STB_GLOBAL_STT_FUNC = 0x12;
const SHN_ABS = 0xfff1;

/** e_machine of the processors that Deno runs on. */
export const ELF_MACHINE: Record<typeof Deno.build.arch, number> = { x86_64: 62, aarch64: 183 };

/** The name of the symbol at a position; definitions may use any name, the library uses these. */
export function stubSymbolName(position: number): string {
  return `f${position}`;
}

/** Writes the library. */
export function writeElfStub(machine: number, addresses: readonly bigint[]): Uint8Array<ArrayBuffer> {
  const names = addresses.map((_, position) => stubSymbolName(position));
  const symbolCount = 1 + names.length; // symbol 0 is reserved
  const bucketCount = Math.max(1, names.length);
  const stringSize = names.reduce((sum, name) => sum + name.length + 1, 1);

  const dynamic = ELF_HEADER_SIZE + 3 * PROGRAM_HEADER_SIZE;
  const hash = dynamic + 6 * DYNAMIC_ENTRY_SIZE;
  const symbols = (hash + 4 * (2 + bucketCount + symbolCount) + 7) & ~7;
  const strings = symbols + SYMBOL_SIZE * symbolCount;
  const size = strings + stringSize;

  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const u16 = (offset: number, value: number): void => view.setUint16(offset, value, true);
  const u32 = (offset: number, value: number): void => view.setUint32(offset, value, true);
  const u64 = (offset: number, value: number): void => view.setBigUint64(offset, BigInt(value), true);

  bytes.set([0x7f, 0x45, 0x4c, 0x46, /* ELFCLASS64 */ 2, /* ELFDATA2LSB */ 1, /* EV_CURRENT */ 1]);
  u16(16, ET_DYN);
  u16(18, machine);
  u32(20, 1); // e_version
  u64(32, ELF_HEADER_SIZE); // e_phoff
  u16(52, ELF_HEADER_SIZE); // e_ehsize
  u16(54, PROGRAM_HEADER_SIZE); // e_phentsize
  u16(56, 3); // e_phnum

  const programHeader = (
    index: number,
    type: number,
    offset: number,
    length: number,
    align: number,
  ): void => {
    const at = ELF_HEADER_SIZE + PROGRAM_HEADER_SIZE * index;
    u32(at, type);
    u32(at + 4, PF_READ_WRITE);
    u64(at + 8, offset);
    u64(at + 16, offset); // p_vaddr
    u64(at + 24, offset); // p_paddr
    u64(at + 32, length); // p_filesz
    u64(at + 40, length); // p_memsz
    u64(at + 48, align);
  };
  programHeader(0, PT_LOAD, 0, size, 0x1_0000);
  programHeader(1, PT_DYNAMIC, dynamic, 6 * DYNAMIC_ENTRY_SIZE, 8);
  programHeader(2, PT_GNU_STACK, 0, 0, 16);

  [[DT_HASH, hash], [DT_STRTAB, strings], [DT_SYMTAB, symbols], [DT_STRSZ, stringSize], [
    DT_SYMENT,
    SYMBOL_SIZE,
  ], [DT_NULL, 0]].forEach(([tag, value], index) => {
    u64(dynamic + DYNAMIC_ENTRY_SIZE * index, tag);
    u64(dynamic + DYNAMIC_ENTRY_SIZE * index + 8, value);
  });

  u32(hash, bucketCount);
  u32(hash + 4, symbolCount);
  const buckets = hash + 8;
  const chains = buckets + 4 * bucketCount;
  let string = 1; // string 0 is empty
  names.forEach((name, position) => {
    const index = position + 1;
    const bucket = buckets + 4 * (systemVHash(name) % bucketCount);
    u32(chains + 4 * index, view.getUint32(bucket, true));
    u32(bucket, index);
    const at = symbols + SYMBOL_SIZE * index;
    u32(at, string);
    bytes[at + 4] = STB_GLOBAL_STT_FUNC;
    u16(at + 6, SHN_ABS);
    view.setBigUint64(at + 8, addresses[position], true);
    for (let letter = 0; letter < name.length; letter++) {
      bytes[strings + string + letter] = name.charCodeAt(letter);
    }
    string += name.length + 1;
  });
  return bytes;
}

/** The hash function of DT_HASH (gABI, chapter 5, "Hash Table"). */
function systemVHash(name: string): number {
  let hash = 0;
  for (let index = 0; index < name.length; index++) {
    hash = ((hash << 4) + name.charCodeAt(index)) >>> 0;
    const top = hash & 0xf000_0000;
    hash = ((hash ^ (top >>> 24)) & ~top) >>> 0;
  }
  return hash;
}
