/**
 * The section table: reads and checks every record, so that the rest of the
 * package can rely on a section's fields.
 */

import { attempt, LoadError, raise, type Report } from "../errors/load_error.ts";
import { Compression, SectionFlag, SectionType, sectionTypeName } from "./enums.ts";
import { contentRange, readField, type SmfHeader } from "./header.ts";
import { COMPRESS_WITH_ZSTD, COPY_AGAIN, UPDATE_PACKAGE, WRITE_AGAIN } from "./hints.ts";
import { type Layout, RELOCATION_SIZE, SECTION_NAME_SIZE } from "./layout.ts";
import { FREE_EXPANSION, MAX_ALIGNMENT, MAX_EXPANSION, MAX_IMAGE_SIZE, MAX_SECTIONS } from "./limits.ts";
import { imageOffsets, isLoaded } from "./offsets.ts";
import { ByteReader, decodeUtf8, type Reading } from "./reader.ts";

/** A section. */
export interface SmfSection {
  /** Its index in the section table. */
  readonly index: number;
  /** Its name, at most 16 bytes. */
  readonly name: string;
  /** A {@linkcode SectionType}, or a number that this package does not know. */
  readonly type: number;
  /** {@linkcode SectionFlag} bits. */
  readonly flags: number;
  /** The file offset of its bytes, the stub included. */
  readonly offset: number;
  /** Size in the file, in bytes; 0 for Bss. */
  readonly size: number;
  /** Size in memory, in bytes. */
  readonly virtualSize: number;
  /** A power of two, at least 1. */
  readonly alignment: number;
  /** Whether its bytes in the file are compressed. */
  readonly compressed: boolean;
}

const SPLIT_CODE =
  "put code and variables into separate sections; code that modifies itself cannot be loaded";

/** The section table. */
export interface Sections {
  /** The sections, in table order. */
  readonly list: readonly SmfSection[];
  /** The bytes of the table in the file. */
  readonly bytes: Uint8Array;
}

/** The size of a section's contents in bytes, decompressed if they are compressed. */
export function contentLength({ compressed, size, virtualSize }: SmfSection): number {
  return compressed ? virtualSize : size;
}

/** The name of a section in messages: `#index` if it has none. */
export function sectionLabel(section: SmfSection): string {
  return section.name === "" ? `#${section.index}` : section.name;
}

/**
 * Reads and checks the section table. The header must have passed `checkGeometry`.
 *
 * @param report Called with each problem; if it returns, the section with the problem is left out.
 */
export function* readSections(
  header: SmfHeader,
  layout: Layout,
  fileSize: number,
  report: Report = raise,
): Reading<Sections> {
  const { sectionCount: count, sectionTableOffset: start } = header;
  if (count > MAX_SECTIONS) {
    throw new LoadError("Unsupported", "Cannot read the section table: it has too many entries", {
      offset: header.offset + layout.header.fields.section_count[0],
      value: count,
      range: [1, MAX_SECTIONS + 1],
      hint: "merge sections: link without -ffunction-sections, or split the module",
    });
  }
  const bytes = yield { offset: start, length: count * layout.section.size };
  const reader = new ByteReader(bytes, start);
  const list: SmfSection[] = [];
  let problems = 0;
  const counted: Report = (problem) => {
    problems++;
    report(problem);
  };
  for (let i = 0; i < count; i++) {
    const before = problems;
    const section = attempt(counted, () => readRecord(reader, i, header, layout));
    if (section === undefined) continue;
    checkSection(section, header, layout, fileSize, start + i * layout.section.size, counted);
    if (problems === before) list.push(section);
  }
  checkTotals(list, fileSize, report);
  // A copy has no room for more, which an array that grew has; modules keep it.
  return { list: list.slice(), bytes };
}

/** Reads one record of the table. */
function readRecord(reader: ByteReader, index: number, header: SmfHeader, layout: Layout): SmfSection {
  const at = index * layout.section.size;
  const { fields } = layout.section;
  const nameOffset = at + nameOffsetOf(reader, at, layout);
  const name = readName(reader, nameOffset);
  if (name === undefined) {
    throw new LoadError("InvalidFormat", "Cannot read the section's name: it is not UTF-8", {
      section: `#${index}`,
      offset: reader.fileOffset + nameOffset,
    });
  }
  try {
    const type = readField(reader, at, fields.section_type, "section_type");
    const flags = readField(reader, at, fields.flags, "flags");
    return {
      index,
      name,
      type,
      flags,
      offset: header.base + readField(reader, at, fields.offset, "offset"),
      // Bss has no bytes in the file, whatever size its writer stored.
      size: type === SectionType.Bss ? 0 : readField(reader, at, fields.size, "size"),
      virtualSize: readField(reader, at, fields.virtual_size, "virtual_size"),
      alignment: readField(reader, at, fields.alignment, "alignment") || 1,
      compressed: (flags & SectionFlag.Compressed) !== 0,
    };
  } catch (error) {
    throw error instanceof LoadError ? error.locate({ section: name === "" ? `#${index}` : name }) : error;
  }
}

/** Where a record has its name: see {@linkcode SectionLayout.nameBehindLongAlignment}. */
function nameOffsetOf(reader: ByteReader, at: number, { section }: Layout): number {
  const { name, nameBehindLongAlignment: other } = section;
  if (other === undefined) return name;
  for (let offset = name; offset < other; offset++) if (reader.u8(at + offset) !== 0) return name;
  return reader.u8(at + other) === 0 ? name : other;
}

/** Reads a section's name; undefined if it is not UTF-8. */
function readName(reader: ByteReader, at: number): string | undefined {
  const stored = reader.slice(at, SECTION_NAME_SIZE);
  const end = stored.indexOf(0);
  return decodeUtf8(end < 0 ? stored : stored.subarray(0, end));
}

/** Well-known section names, with the section type that the format's first plan gave them. */
const FIRST_PLAN_TYPES: Readonly<Record<string, number>> = {
  ".bss": 3,
  ".rodata": 4,
  ".symtab": 5,
  ".reloc": 6,
  reloc: 6,
  ".rela": 6,
  rela: 6,
};

/**
 * Checks the fields of one section.
 *
 * @param record The file offset of its record, for errors.
 */
function checkSection(
  section: SmfSection,
  header: SmfHeader,
  layout: Layout,
  fileSize: number,
  record: number,
  report: Report,
): void {
  const { type, flags, offset, size, virtualSize, alignment } = section;
  const { fields } = layout.section;
  const refuse = (
    kind: "InvalidFormat" | "Unsupported",
    reason: string,
    field: keyof typeof fields,
    value: number | string,
    range?: readonly [number, number],
    hint?: string,
  ) => {
    const verb = isLoaded(type) ? "load" : "read";
    report(
      new LoadError(kind, `Cannot ${verb} the section: ${reason}`, {
        section: sectionLabel(section),
        offset: record + fields[field][0],
        value,
        ...(range && { range }),
        ...(hint !== undefined && { hint }),
      }),
    );
  };

  if (Object.hasOwn(FIRST_PLAN_TYPES, section.name) && FIRST_PLAN_TYPES[section.name] === type) {
    const reason = "its name and type disagree, as in files with the numbering of the format's first plan";
    const value = `${type} (${sectionTypeName(type)})`;
    refuse("Unsupported", reason, "section_type", value, undefined, WRITE_AGAIN);
  }

  const content = contentRange(header, layout, fileSize);
  if (size > 0 && (offset < header.base || offset + size > content[1])) {
    refuse("InvalidFormat", "its data passes the end of the file", "offset", offset, content, COPY_AGAIN);
  }
  const used = isLoaded(type) || type === SectionType.Reloc;
  if (!used) return;

  if (size > 0) {
    const checkApart = (part: string, start: number, length: number): void => {
      if (start >= offset + size || offset >= start + length) return;
      refuse("InvalidFormat", `its data overlaps the ${part}`, "offset", offset, content);
    };
    checkApart("header", header.offset, layout.header.size);
    checkApart("section table", header.sectionTableOffset, header.sectionCount * layout.section.size);
    checkApart("symbol table", header.symbolTableOffset, header.symbolCount * layout.symbolSize);
  }
  if (flags > 0x0f) {
    refuse("Unsupported", "it has unknown flags", "flags", flags, [0, 0x10], UPDATE_PACKAGE);
  }
  if (alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)) !== 0) {
    const reason = alignment > MAX_ALIGNMENT
      ? "its alignment is too large"
      : "its alignment is not a power of two";
    refuse("InvalidFormat", reason, "alignment", alignment, [1, MAX_ALIGNMENT + 1]);
  }
  const writable = (flags & SectionFlag.Write) !== 0, executable = (flags & SectionFlag.Exec) !== 0;
  if (writable && (executable || type === SectionType.Code)) {
    refuse("InvalidFormat", "it is both writable and executable", "flags", flags, undefined, SPLIT_CODE);
  }
  if (virtualSize > MAX_IMAGE_SIZE) {
    refuse("InvalidFormat", "its virtual size is too large", "virtual_size", virtualSize, [
      0,
      MAX_IMAGE_SIZE + 1,
    ]);
  }
  if (section.compressed) checkCompression(header, refuse);
  else if (isLoaded(type) && size > virtualSize) {
    refuse("InvalidFormat", "it has more bytes in the file than in memory", "size", size, [
      0,
      virtualSize + 1,
    ]);
  }
  const length = contentLength(section);
  if (type === SectionType.Reloc && length % RELOCATION_SIZE !== 0) {
    const reason = `its size is not a multiple of ${RELOCATION_SIZE}`;
    refuse("InvalidFormat", reason, "size", length);
  }
}

/** Checks that the header's method can decompress a compressed section. */
function checkCompression(
  header: SmfHeader,
  refuse: (
    kind: "Unsupported",
    reason: string,
    field: "flags",
    value: number,
    range: undefined,
    hint: string,
  ) => void,
): void {
  if (header.compression === Compression.Zstd) return;
  const reason = header.compression === Compression.Lz4
    ? "it is compressed with lz4, which this package does not support"
    : header.compression === Compression.None
    ? "it is compressed, but the header names no method"
    : "it is compressed with an unknown method";
  refuse("Unsupported", reason, "flags", header.compression, undefined, COMPRESS_WITH_ZSTD);
}

/** Checks the total size of all sections, in the file and in memory. */
function checkTotals(sections: readonly SmfSection[], fileSize: number, report: Report): void {
  let stored = 0;
  let decompressed = 0;
  let [packed, unpacked] = [0, 0];
  for (const section of sections) {
    stored += section.size;
    if (section.compressed && (isLoaded(section.type) || section.type === SectionType.Reloc)) {
      packed += section.size;
      unpacked += section.virtualSize;
    }
    if (section.compressed && section.type === SectionType.Reloc) decompressed += section.virtualSize;
  }
  if (stored > fileSize) {
    report(
      new LoadError("InvalidFormat", "Cannot read the sections: together they are larger than the file", {
        value: stored,
        range: [0, fileSize + 1],
        hint: COPY_AGAIN,
      }),
    );
  }
  const limit = FREE_EXPANSION + MAX_EXPANSION * packed;
  if (unpacked > limit) {
    report(
      new LoadError("Unsupported", "Cannot decompress the sections: they expand by too much", {
        value: unpacked,
        range: [0, limit + 1],
        hint: "store sections that are mostly zeros uncompressed, or as .bss",
      }),
    );
  }
  const { end } = imageOffsets(sections);
  if (end + decompressed > MAX_IMAGE_SIZE) {
    report(
      new LoadError("InvalidFormat", "Cannot load the sections: together they are too large", {
        value: end + decompressed,
        range: [0, MAX_IMAGE_SIZE + 1],
      }),
    );
  }
}
