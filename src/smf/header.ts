/**
 * The header of a file: reads it by a layout's table, then checks that the section
 * and symbol tables can be where it says they are.
 */

import { LoadError } from "../errors/load_error.ts";
import { HeaderFlag } from "./enums.ts";
import { COMMON_FIELDS, type Field, type Layout, type LayoutName, WRITER_MARK } from "./layout.ts";
import { COPY_AGAIN, UPDATE_PACKAGE } from "./hints.ts";
import type { ByteReader } from "./reader.ts";

/** A header. Fields that the layout lacks are 0. */
export interface SmfHeader {
  /** The layout of the file. */
  readonly layout: LayoutName;
  /** The file offset of the header. */
  readonly offset: number;
  /** 0 or 1. Does not determine the layout. */
  readonly versionMajor: number;
  /** 0 or 1. */
  readonly versionMinor: number;
  /** A {@linkcode Platform}. */
  readonly platform: number;
  /** An {@linkcode Arch}. */
  readonly arch: number;
  /** The level of processors that the code needs, 0 for all of `arch`. Only this package writes others. */
  readonly cpu: number;
  /** {@linkcode HeaderFlag} bits. */
  readonly flags: number;
  /** A {@linkcode Compression}: the method of all compressed sections. */
  readonly compression: number;
  /** The level that the compressor was run at; readers ignore it. */
  readonly compressionLevel: number;
  /** The number of sections. */
  readonly sectionCount: number;
  /** The file offset of the section table, `base` included. */
  readonly sectionTableOffset: number;
  /** The file offset of the symbol table, `base` included; 0 when there is none. */
  readonly symbolTableOffset: number;
  /** The number of symbols. */
  readonly symbolCount: number;
  /** The number of exported symbols, according to the writer. */
  readonly exportedCount: number;
  /** The image offset where execution starts; valid only with {@linkcode HeaderFlag.Executable}. */
  readonly entryPoint: number;
  /** Size of the stub in front of the data, in bytes. */
  readonly stubSize: number;
  /** The file offset of the data, when a stub precedes it. */
  readonly smfDataOffset: number;
  /** The file offset to which every offset stored in the file is relative. */
  readonly base: number;
  /** 0, or a hash of the file. */
  readonly moduleHash: bigint;
  /** 0, or a hash of the source that the file was built from. */
  readonly sourceHash: bigint;
  /** An {@linkcode AppType}. */
  readonly appType: number;
  /** Window width in pixels, a hint. */
  readonly windowWidth: number;
  /** Window height in pixels, a hint. */
  readonly windowHeight: number;
  /** A hint for prefetching. */
  readonly prefetchHint: number;
  /** The number of files to prefetch, a hint. */
  readonly prefetchFileCount: number;
}

/**
 * Reads one field as a number.
 *
 * @param at Where the record starts.
 * @param name The field's name, for the error above 2^53 - 1.
 */
export function readField(reader: ByteReader, at: number, field: Field, name: string): number {
  const [offset, size] = field;
  if (size === 1) return reader.u8(at + offset);
  if (size === 2) return reader.u16(at + offset);
  if (size === 4) return reader.u32(at + offset);
  return reader.u64(at + offset, name);
}

/** Whether the version is 0.1, 1.0 or 1.1. */
function isKnownVersion(major: number, minor: number): boolean {
  return major === 0 ? minor === 1 : major === 1 && minor <= 1;
}

/**
 * Checks bytes 4..11, which are the same in every layout.
 *
 * @param reader Starts at the header.
 */
export function checkCommonFields(reader: ByteReader): void {
  const get = (field: Field, name: string) => readField(reader, 0, field, name);
  const { version_major, version_minor, platform, arch, flags } = COMMON_FIELDS;
  const major = get(version_major, "version_major"), minor = get(version_minor, "version_minor");
  const refuse = (kind: "InvalidFormat" | "Unsupported", problem: string, field: Field, end: number) => {
    const [offset] = field;
    return new LoadError(kind, `Cannot read the header: ${problem}`, {
      offset: reader.fileOffset + offset,
      value: get(field, ""),
      range: [0, end],
      ...(kind === "Unsupported" && { hint: UPDATE_PACKAGE }),
    });
  };
  if (!isKnownVersion(major, minor)) {
    throw new LoadError("Unsupported", "Cannot read the file: its version is not 0.1, 1.0 or 1.1", {
      offset: reader.fileOffset + version_major[0],
      value: `${major}.${minor}`,
      hint: "this package reads versions 0.1, 1.0 and 1.1: write one of them",
    });
  }
  if (get(platform, "platform") > 5) {
    throw refuse("InvalidFormat", "the platform does not exist", platform, 6);
  }
  if (get(arch, "arch") > 7) throw refuse("InvalidFormat", "the processor does not exist", arch, 8);
  if (get(flags, "flags") >= 0x100) {
    throw refuse("Unsupported", "it has unknown flags", flags, 0x100);
  }
}

/** Reads the level of processors. In files of other writers its byte holds garbage. */
export function readCpu(reader: ByteReader, { header: { mark } }: Layout): number {
  return reader.startsWith(WRITER_MARK, mark) ? reader.u8(mark + WRITER_MARK.length) : 0;
}

/**
 * Reads a header by the table of `layout`. The only check is that numbers are at
 * most 2^53 - 1.
 *
 * @param reader Starts at the header.
 */
export function readHeader(reader: ByteReader, layout: Layout): SmfHeader {
  const { fields } = layout.header;
  const get = (field: Field | undefined, name: string): number =>
    field === undefined ? 0 : readField(reader, 0, field, name);
  const flags = get(fields.flags, "flags");
  const smfDataOffset = get(fields.smf_data_offset, "smf_data_offset");
  // The format's own reader of P128 applies the offset whenever it is not 0, that of H96 only with the flag.
  const hasBase = layout.name === "P128" || (flags & HeaderFlag.HasStub) !== 0;
  const base = hasBase ? smfDataOffset : 0;
  const sectionTableOffset = get(fields.section_table_offset, "section_table_offset");
  const symbolTableOffset = get(fields.symbol_table_offset, "symbol_table_offset");
  const symbolCount = get(fields.symbol_count, "symbol_count");
  const noSymbols = symbolTableOffset === 0 && (!layout.trailer || symbolCount === 0);
  return {
    layout: layout.name,
    offset: reader.fileOffset,
    versionMajor: get(fields.version_major, "version_major"),
    versionMinor: get(fields.version_minor, "version_minor"),
    platform: get(fields.platform, "platform"),
    arch: get(fields.arch, "arch"),
    cpu: readCpu(reader, layout),
    flags,
    compression: get(fields.compression, "compression"),
    compressionLevel: get(fields.compression_level, "compression_level"),
    sectionCount: get(fields.section_count, "section_count"),
    sectionTableOffset: base + sectionTableOffset,
    symbolTableOffset: noSymbols ? 0 : base + symbolTableOffset,
    symbolCount,
    exportedCount: get(fields.exported_count, "exported_count"),
    entryPoint: get(fields.entry_point, "entry_point"),
    stubSize: get(fields.stub_size, "stub_size"),
    smfDataOffset,
    base,
    moduleHash: reader.bigU64(fields.module_hash[0]),
    sourceHash: reader.bigU64(fields.source_hash[0]),
    appType: get(fields.app_type, "app_type"),
    windowWidth: get(fields.window_width, "window_width"),
    windowHeight: get(fields.window_height, "window_height"),
    prefetchHint: get(fields.prefetch_hint, "prefetch_hint"),
    prefetchFileCount: get(fields.prefetch_file_count, "prefetch_file_count"),
  };
}

/** The range of the file in which tables and sections may lie: everything except header and stub. */
export function contentRange(header: SmfHeader, layout: Layout, fileSize: number): readonly [number, number] {
  if (header.offset > 0) return [header.base, header.offset];
  return [Math.max(layout.header.size, header.base), fileSize];
}

/** Whether the header counts symbols but has no symbol table, as only bytecode files do. */
export function isBytecode(header: SmfHeader): boolean {
  return header.layout === "H96" && header.symbolTableOffset === 0 && header.symbolCount > 0;
}

/**
 * Checks that both tables lie inside the file, outside the header and apart from
 * each other. Nothing may be allocated by a count before this check has passed.
 */
export function checkGeometry(header: SmfHeader, layout: Layout, fileSize: number): void {
  const [low, high] = contentRange(header, layout, fileSize);
  const { fields } = layout.header;
  const at = ([offset]: Field) => header.offset + offset;
  if (header.sectionCount === 0) {
    throw new LoadError("InvalidFormat", "Cannot read the section table: it has no entries", {
      offset: at(fields.section_count),
      value: 0,
    });
  }
  const sectionsStart = header.sectionTableOffset;
  const sectionsEnd = checkTable(
    "section table",
    sectionsStart,
    header.sectionCount,
    layout.section.size,
    at(fields.section_table_offset),
    [low, high],
  );
  if (header.symbolTableOffset === 0) {
    if (header.symbolCount === 0 || isBytecode(header)) return;
  }
  const symbolsStart = header.symbolTableOffset;
  const symbolsEnd = checkTable(
    "symbol table",
    symbolsStart,
    header.symbolCount,
    layout.symbolSize,
    at(fields.symbol_table_offset),
    [low, high],
  );
  if (sectionsStart < symbolsEnd && symbolsStart < sectionsEnd) {
    throw new LoadError("InvalidFormat", "Cannot read the symbol table: it overlaps the section table", {
      offset: symbolsStart,
      value: `[${symbolsStart}, ${symbolsEnd}) and [${sectionsStart}, ${sectionsEnd})`,
    });
  }
}

/** @returns the file offset where the table ends. */
function checkTable(
  name: string,
  start: number,
  count: number,
  entrySize: number,
  field: number,
  [low, high]: readonly [number, number],
): number {
  if (start < low || start > high) {
    const problem = start < low ? "overlaps the header" : "starts past the end of the file";
    throw new LoadError("InvalidFormat", `Cannot read the ${name}: it ${problem}`, {
      offset: field,
      value: start,
      range: [low, high + 1],
      ...(start > high && { hint: COPY_AGAIN }),
    });
  }
  // At most 2^53 + 2^32 * 64: cannot wrap, and rounding only happens far above any file's size.
  const end = start + count * entrySize;
  if (end > high) {
    throw new LoadError(
      "InvalidFormat",
      `Cannot read the ${name}: ${count} entries of ${entrySize} bytes pass the end of the file`,
      { offset: start, value: end, range: [low, high + 1], hint: COPY_AGAIN },
    );
  }
  return end;
}
