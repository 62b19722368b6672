/**
 * A second reader of SMF files, to judge the first. It shares no code with
 * src/: it was written from the description of the format alone. It is slow,
 * strict and short, and reads a file only as one array.
 */

import * as builtin from "node:zlib";
import { DIALECTS, type Place, RELOCATION } from "./dialects.ts";

const zlib = builtin as unknown as Zlib;

/** The reason why a file must not load. */
export class Refusal extends Error {}

/** Refuses unless `condition`. */
export function must(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new Refusal(reason);
}

export interface Section {
  readonly index: number;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
  readonly virtualSize: number;
  readonly alignment: number;
  readonly name: string;
}

export interface Symbol {
  readonly name: string;
  /** The type in the common numbering, in which 1 is a function. */
  readonly type: number;
  readonly binding: number;
  readonly value: number;
  readonly size: number;
  readonly defined: boolean;
}

export interface Relocation {
  readonly offset: number;
  readonly symbol: number;
  readonly type: number;
  readonly addend: bigint;
}

export interface Module {
  readonly platform: number;
  readonly arch: number;
  readonly flags: number;
  readonly entryPoint: number;
  readonly sections: readonly Section[];
  readonly symbols: readonly Symbol[];
  readonly relocations: readonly Relocation[];
  /** The section table's range in the file, and that of the symbols with their names: from, to. */
  readonly tables: readonly (readonly [number, number])[];
  /** The contents of a section, decompressed. */
  contents(section: Section): Uint8Array;
}

/** A little-endian number; refused outside the file or above 2^53 − 1. */
export function number(bytes: Uint8Array, at: number, size: number): number {
  must(at >= 0 && at + size <= bytes.length, "a number outside the file");
  let value = 0;
  for (let i = size - 1; i >= 0; i--) {
    value = value * 256 + bytes[at + i];
    // The limit is checked while the value is still exact: one more byte could round it.
    must(i === 0 || value < 2 ** (53 - 8 * i), "a number above 2^53 - 1");
  }
  return value;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Refusal("a name that is not UTF-8");
  }
}

/** FNV-1a, 32 bits. */
export function fnv1a(bytes: Uint8Array): number {
  let hash = 2166136261;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 16777619);
  return hash >>> 0;
}

/** The offset of a layout's header in a file. */
export function headerStart(bytes: Uint8Array, dialect: string): number {
  const { size } = DIALECTS[dialect].header;
  const magic = (at: number) => at >= 0 && number(bytes, at, 4) === 0x00464d53;
  if (bytes.length >= 4 && magic(0)) {
    must(dialect !== "H96-trailer", "a trailer, though the file begins with a header");
    return 0;
  }
  must(dialect === "P128" || dialect === "H96-trailer", "no header at the start");
  const at = bytes.length - size;
  must(at > 0 && magic(at), "no header at the end");
  return at;
}

/** The type of sections that hold debug information, behind everything that is loaded. */
export const DWARF = 88;

/** Reads a file by one layout, strictly. */
export function readModule(bytes: Uint8Array, dialect: string): Module {
  const { header: places, section: sectionSize, symbol: symbolSize } = DIALECTS[dialect];
  const start = headerStart(bytes, dialect);
  must(start + places.size <= bytes.length, "a header past the end");
  const at = (offset: number, size: number) => number(bytes, start + offset, size);
  const get = ([offset, size]: Place) => at(offset, size);
  const version = `${at(4, 1)}.${at(5, 1)}`;
  must(["0.1", "1.0", "1.1"].includes(version), `version ${version}`);
  const platform = at(6, 1), arch = at(7, 1), flags = at(8, 4);
  must(platform <= 5 && arch <= 7 && flags < 0x100, "a platform, processor or flag that does not exist");
  const stubbed = dialect === "P128" || (places.dataOffset !== undefined && (flags & 0x10) !== 0);
  const base = stubbed && places.dataOffset ? get(places.dataOffset) : 0;
  // The range in which tables and sections may lie.
  const low = start > 0 ? base : Math.max(base, places.size);
  const high = start > 0 ? start : bytes.length;
  const within = (from: number, length: number, what: string) =>
    must(from >= low && from + length <= high, `${what} outside the file`);

  const sectionCount = get(places.sectionCount), sectionTable = base + get(places.sectionTable);
  must(sectionCount > 0 && sectionCount <= 65_536, "no sections or too many");
  within(sectionTable, sectionCount * sectionSize, "section table");
  const symbolCount = get(places.symbolCount);
  const symbolTable = base + get(places.symbolTable);
  const hasSymbols = symbolCount > 0 || get(places.symbolTable) !== 0;
  if (hasSymbols) {
    must(get(places.symbolTable) !== 0 || start > 0, "no symbol table");
    within(symbolTable, symbolCount * symbolSize, "symbol table");
    apart([sectionTable, sectionCount * sectionSize], [symbolTable, symbolCount * symbolSize]);
  }

  const sections: Section[] = [];
  for (let index = 0; index < sectionCount; index++) {
    const section = readSection(bytes, sectionTable + index * sectionSize, index, base, sectionSize);
    sections.push(section);
    if (section.size === 0) continue;
    must(section.offset >= base && section.offset + section.size <= high, "section outside the file");
    if (section.type < 1 || section.type > 5) continue;
    const data = [section.offset, section.size] as const;
    apart(data, [start, places.size]);
    apart(data, [sectionTable, sectionCount * sectionSize]);
    if (hasSymbols) apart(data, [symbolTable, symbolCount * symbolSize]);
  }
  must(sections.reduce((sum, { size }) => sum + size, 0) <= bytes.length, "more sections than file");

  const namesStart = symbolTable + symbolCount * symbolSize;
  const namesEnd = Math.min(
    start > symbolTable ? start : bytes.length,
    ...[
      sectionTable,
      ...sections.filter(({ type, size }) => (type > 0 && type <= 5 || type === DWARF) && size > 0).map((s) =>
        s.offset
      ),
    ]
      .filter((offset) => offset >= namesStart),
  );
  if (dialect === "H72" || dialect === "H80") {
    // The two layouts differ only in whether a table or section starts in bytes 72 to 79.
    const starts = [sectionTable, ...sections.filter(({ size }) => size > 0).map(({ offset }) => offset)];
    if (get(places.symbolTable) !== 0) starts.push(symbolTable);
    // A section table right behind 80 bytes decides.
    const roomy = bytes.length >= 80 && (sectionTable === 80 || Math.min(...starts) >= 80);
    must(roomy === (dialect === "H80"), "the other of two layouts");
  }
  const mark = ascii(bytes, start + places.mark);
  const records: (Omit<Symbol, "defined"> & { visibility: number })[] = [];
  for (let i = 0; i < symbolCount; i++) {
    const record = symbolTable + i * symbolSize;
    const nameAt = namesStart + number(bytes, record, 4);
    must(nameAt < namesEnd, "a name outside the string table");
    const nameEnd = bytes.subarray(0, namesEnd).indexOf(0, nameAt);
    must(nameEnd >= 0, "a name without NUL");
    const name = bytes.subarray(nameAt, nameEnd);
    must(number(bytes, record + 4, 4) === fnv1a(name), "a hash that is not its name's");
    const type = number(bytes, record + 8, 1) + (dialect === "P128" ? 1 : 0);
    const binding = number(bytes, record + 9, 1);
    must(type <= 6 && binding <= 2, "a type or binding that does not exist");
    if (symbolSize === 56) number(bytes, record + 48, 8);
    records.push({
      name: text(name),
      type,
      binding,
      visibility: number(bytes, record + 10, 1),
      value: number(bytes, record + 16, 8),
      size: number(bytes, record + 24, 8),
    });
  }
  const globals = records.filter(({ binding }) => binding === 1).length;
  const zeroIsDefined = mark !== "XXH32" && globals === get(places.exportedCount);
  const symbols = records.map(({ visibility, ...symbol }) => ({
    ...symbol,
    defined: symbol.binding === 0 || symbol.value !== 0 || symbol.size !== 0 || visibility !== 0 ||
      zeroIsDefined,
  }));
  const exports = symbols.filter(({ binding, defined }) => binding === 1 && defined).map(({ name }) => name);
  must(new Set(exports).size === exports.length, "two exports of one name");

  const packed = sections.filter(({ type, flags }) => type >= 1 && type <= 5 && (flags & 8) !== 0);
  const [from, to] = packed.reduce(([a, b], { size, virtualSize }) => [a + size, b + virtualSize], [0, 0]);
  must(to <= 2 ** 25 + 1024 * from, "sections that expand by too much");
  const method = places.dataOffset ? at(12, 1) : 0;
  const contents = (section: Section): Uint8Array => {
    const stored = bytes.subarray(section.offset, section.offset + section.size);
    if ((section.flags & 8) === 0) return stored;
    must(method === 1, "compressed by another method than zstd");
    return decompress(stored, section.virtualSize);
  };
  for (const section of sections) {
    if (section.type === 1) {
      const code = contents(section).subarray(0, 4).join();
      must(code !== "66,67,79,68" && code !== "127,69,76,70", "code that is bytecode or an ELF file");
    }
  }
  const relocations: Relocation[] = [];
  for (const section of sections.filter(({ type }) => type === 5)) {
    const table = contents(section);
    must(table.length % RELOCATION === 0, "a part of a relocation");
    for (let i = 0; i < table.length; i += RELOCATION) {
      const symbol = number(table, i + 8, 4);
      must(symbol < symbolCount, "a relocation's symbol that does not exist");
      const addend = new DataView(table.buffer, table.byteOffset + i + 16, 8).getBigInt64(0, true);
      relocations.push({ offset: number(table, i, 8), symbol, type: table[i + 12], addend });
    }
  }
  const entryPoint = get(places.entryPoint);
  const tables: [number, number][] = [
    [sectionTable, sectionTable + sectionCount * sectionSize],
    symbolCount > 0 ? [symbolTable, namesEnd] : [0, 0],
  ];
  return { platform, arch, flags, entryPoint, sections, symbols, relocations, tables, contents };
}

/** The names in the sections of host libraries, of which each has a NUL behind it. */
export function hostLibraries({ sections, contents }: Module): string[] {
  return sections.filter(({ type }) => type === 80).flatMap((section) => {
    const bytes = contents(section);
    must(bytes.length <= 65_536, "more names of host libraries than there are");
    if (bytes.length === 0) return [];
    must(bytes[bytes.length - 1] === 0, "a host library's name without NUL");
    return text(bytes).slice(0, -1).split("\0");
  });
}

function readSection(
  bytes: Uint8Array,
  at: number,
  index: number,
  base: number,
  recordSize: number,
): Section {
  const type = number(bytes, at, 1);
  const flags = number(bytes, at + 4, 4);
  // In 64 bytes the name follows an alignment of 4 bytes, or one of 8 whose upper half is zero.
  const isLate = recordSize === 56 || number(bytes, at + 36, 4) === 0 && bytes[at + 40] !== 0;
  const nameBytes = bytes.subarray(at + (isLate ? 40 : 36)).subarray(0, 16);
  const nul = nameBytes.indexOf(0);
  const section = {
    index,
    type,
    flags,
    offset: base + number(bytes, at + 8, 8),
    // A Bss section has no bytes in the file, whatever its size field says.
    size: type === 4 ? 0 : number(bytes, at + 16, 8),
    virtualSize: number(bytes, at + 24, 8),
    alignment: number(bytes, at + 32, recordSize === 56 ? 8 : 4) || 1,
    name: text(nul < 0 ? nameBytes : nameBytes.subarray(0, nul)),
  };
  if (type < 1 || type > 5) return section;
  must(flags < 16, "section flags that do not exist");
  must((flags & 6) !== 6 && !(type === 1 && (flags & 2) !== 0), "writable and executable");
  must(section.virtualSize <= 2 ** 30, "a section of more than 1 GiB");
  const power = section.alignment.toString(2).replaceAll("0", "") === "1";
  must(power && section.alignment <= 2 ** 24, "an alignment that cannot be");
  if (type <= 4 && (flags & 8) === 0) {
    must(section.size <= section.virtualSize, "more bytes in the file than in memory");
  }
  return section;
}

type Range = readonly [offset: number, length: number];

function apart([a, aLength]: Range, [b, bLength]: Range): void {
  must(a + aLength <= b || b + bLength <= a, "two parts overlap");
}

function ascii(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 5));
}

interface Zlib {
  zstdDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

function decompress(stored: Uint8Array, length: number): Uint8Array {
  let plain: Uint8Array;
  try {
    plain = zlib.zstdDecompressSync(stored, { maxOutputLength: length + 1 });
  } catch {
    throw new Refusal("no zstd frame of this length");
  }
  must(plain.length === length, "compressed bytes of another length");
  return plain;
}
