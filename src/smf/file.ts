/**
 * A whole file: header, sections, symbols, relocations, each checked. Section
 * contents are read later and apart, straight to where they belong.
 */

import { inFile, LoadError, raise, type Report } from "../errors.ts";
import { checkStoredSize, hashHeader, isMarked, ModuleChecksum } from "./checksum.ts";
import { decompressZstd } from "./compress.ts";
import { detect } from "./detect.ts";
import { SectionType } from "./enums.ts";
import { xxh32 } from "./hash.ts";
import { isBytecode, type SmfHeader } from "./header.ts";
import type { Layout } from "./layout.ts";
import { isLoaded } from "./offsets.ts";
import { ByteReader, readFrom, type Reading } from "./reader.ts";
import { RelocationTable } from "./reloc.ts";
import { contentLength, readSections, sectionLabel, type SmfSection } from "./section.ts";
import { SymbolTable } from "./symbol.ts";

const NO_BYTES = new Uint8Array(0);

/** What a file says of itself. */
export class SmfFile {
  /** The header. */
  readonly header: SmfHeader;
  /** The sections, in table order. */
  readonly sections: readonly SmfSection[];
  /** The symbols, in table order. */
  readonly symbols: SymbolTable;
  /** The relocations of all Reloc sections. */
  readonly relocations: RelocationTable;
  /** Bytes of the file. */
  readonly size: number;
  /** Where to show section contents while reading them; `undefined` when the file carries no hash. */
  readonly checksum: ModuleChecksum | undefined;

  /** What {@linkcode readSmf} found. */
  constructor(parts: {
    header: SmfHeader;
    sections: readonly SmfSection[];
    symbols: SymbolTable;
    relocations: RelocationTable;
    size: number;
    checksum: ModuleChecksum | undefined;
  }) {
    this.header = parts.header;
    this.sections = parts.sections;
    this.symbols = parts.symbols;
    this.relocations = parts.relocations;
    this.size = parts.size;
    this.checksum = parts.checksum;
  }

  /** Whether a symbol is defined in this file; otherwise it is imported. */
  isDefined(symbolIndex: number): boolean {
    return this.symbols.isDefined(symbolIndex);
  }

  /** The names that the file needs from elsewhere, each once, in table order. */
  imports(): string[] {
    const names = new Set<string>();
    for (let i = 0; i < this.symbols.length; i++) {
      if (!this.symbols.isDefined(i)) names.add(this.symbols.name(i));
    }
    return [...names];
  }
}

/**
 * Reads everything but section contents. What it yields must be filled from a
 * file of `size` bytes.
 */
export function* readSmf(size: number): Reading<SmfFile> {
  const { header, layout, bytes: headerBytes } = yield* detect(size);
  const marked = isMarked(headerBytes, layout);
  const hashed = marked && header.moduleHash !== 0n;
  if (hashed) checkStoredSize(header, layout, size);
  refuseBytecode(header, layout);

  const { list: sections, bytes: sectionBytes } = yield* readSections(header, layout, size);

  const symbolsStart = header.symbolTableOffset;
  const symbolsLength = symbolsEnd(header, layout, sections, size) - symbolsStart;
  const symbolBytes = symbolsLength > 0 ? yield { offset: symbolsStart, length: symbolsLength } : NO_BYTES;
  const symbols = new SymbolTable({
    bytes: symbolBytes,
    count: header.symbolCount,
    layout,
    fileOffset: header.symbolTableOffset,
    exportedCount: header.exportedCount,
    marked,
  });

  const checksum = hashed
    ? new ModuleChecksum(
      header,
      layout,
      [hashHeader(headerBytes, layout), xxh32(sectionBytes), xxh32(symbolBytes)],
      sections,
      size,
    )
    : undefined;

  const relocations = yield* readRelocations(sections, symbols.length, checksum);
  return new SmfFile({ header, sections, symbols, relocations, size, checksum });
}

/** Refuses files whose functions are bytecode, which have no symbol table. */
export function refuseBytecode(header: SmfHeader, layout: Layout): void {
  if (!isBytecode(header)) return;
  throw new LoadError("Unsupported", "Cannot load the file: it holds bytecode, not machine code", {
    offset: header.offset + layout.header.fields.symbol_table_offset[0],
  });
}

/**
 * Where the names behind the symbols end: at the next thing that is read from
 * the file, or where the file or a header at its end does.
 */
export function symbolsEnd(
  header: SmfHeader,
  layout: Layout,
  sections: readonly SmfSection[],
  size: number,
): number {
  const start = header.symbolTableOffset;
  if (header.symbolCount === 0) return start;
  const tableEnd = start + header.symbolCount * layout.symbolSize;
  let end = header.offset > start ? header.offset : size;
  const limit = (offset: number) => {
    if (offset >= tableEnd && offset < end) end = offset;
  };
  limit(header.sectionTableOffset);
  for (const section of sections) {
    const used = isLoaded(section.type) || section.type === SectionType.Reloc;
    if (used && section.size > 0) limit(section.offset);
  }
  return end;
}

/** Reads the relocations of all Reloc sections; `report` is told what is wrong with one. */
export function* readRelocations(
  sections: readonly SmfSection[],
  symbolCount: number,
  checksum: ModuleChecksum | undefined,
  report: Report = raise,
): Reading<RelocationTable> {
  const parts = sections.filter((section) => section.type === SectionType.Reloc);
  return new RelocationTable(parts, yield* readBehindOneAnother(parts, checksum), symbolCount, report);
}

/** The contents of all `parts`. */
function* readBehindOneAnother(
  parts: readonly SmfSection[],
  checksum: ModuleChecksum | undefined,
): Reading<Uint8Array> {
  if (parts.length === 0) return NO_BYTES;
  const [{ offset, size, compressed }] = parts;
  if (parts.length === 1 && !compressed) {
    const bytes = size > 0 ? yield { offset, length: size } : NO_BYTES;
    checksum?.section(parts[0], bytes);
    return bytes;
  }
  const bytes = new Uint8Array(parts.reduce((sum, section) => sum + contentLength(section), 0));
  let at = 0;
  for (const section of parts) {
    yield* readContents(section, bytes.subarray(at, at + contentLength(section)), checksum);
    at += contentLength(section);
  }
  return bytes;
}

/** Fills the beginning of `into`, which is zero, with a section's contents, decompressed if they are compressed. */
export function* readContents(
  section: SmfSection,
  into: Uint8Array,
  checksum: ModuleChecksum | undefined,
): Reading<void> {
  const { offset, size } = section;
  if (section.compressed) {
    const stored = size > 0 ? yield { offset, length: size } : NO_BYTES;
    checksum?.section(section, stored);
    decompressZstd(stored, into, sectionLabel(section));
    return;
  }
  if (size > 0) {
    const stored = into.length === size ? into : into.subarray(0, size);
    yield { offset, length: size, into: stored };
    checksum?.section(section, stored);
  }
}

/**
 * Reads a section that belongs into the image: its bytes, decompressed. What
 * lies behind them is not touched, so that zeros cost nothing until they are
 * written. The file's checksum sees what was read. Code that no processor can
 * run is refused.
 *
 * @param into Exactly `section.virtualSize` bytes, all zero.
 */
export function* readSection(file: SmfFile, section: SmfSection, into: Uint8Array): Reading<void> {
  if (into.length !== section.virtualSize) {
    throw new RangeError(
      `Cannot read section '${
        sectionLabel(section)
      }': it needs ${section.virtualSize} bytes, not ${into.length}`,
    );
  }
  yield* readContents(section, into, file.checksum);
  refuseForeignCode(section, into);
}

/** What the contents of a Code section are, by how they begin, when they are nothing that a processor runs. */
export function foreignCode(bytes: Uint8Array): string | undefined {
  const reader = new ByteReader(bytes);
  if (reader.startsWith("BCOD")) return "bytecode, not machine code";
  return reader.startsWith("\x7fELF") ? "a whole ELF file, which must be linked first" : undefined;
}

/** Refuses a Code section that holds bytecode or a whole ELF file; the writers of both call it code. */
export function refuseForeignCode(section: SmfSection, bytes: Uint8Array): void {
  const what = section.type === SectionType.Code ? foreignCode(bytes) : undefined;
  if (what === undefined) return;
  throw new LoadError("Unsupported", `Cannot load the section: it holds ${what}`, {
    section: sectionLabel(section),
    offset: section.offset,
  });
}

/** How much is read at once of what is only hashed. */
const CHUNK = 65_536;

/**
 * Reads the sections that nothing has read yet, in small pieces, and compares
 * the whole file with its `module_hash`. Does nothing for files without one.
 */
export function* verifyModuleHash(file: Pick<SmfFile, "checksum" | "sections">): Reading<void> {
  const { checksum } = file;
  if (checksum === undefined) return;
  let chunk = NO_BYTES;
  for (const section of file.sections) {
    for (let at = checksum.seen(section); at < section.size;) {
      const length = Math.min(CHUNK, section.size - at);
      if (chunk.length < length) chunk = new Uint8Array(length);
      const into = chunk.subarray(0, length);
      yield { offset: section.offset + at, length, into };
      checksum.section(section, into);
      at += length;
    }
  }
  checksum.finish();
}

/** A file whose bytes are at hand. */
export class ParsedSmf extends SmfFile {
  #bytes: Uint8Array;
  #path: string | undefined;

  /** What {@linkcode parseSmf} found. */
  constructor(file: SmfFile, bytes: Uint8Array, path?: string) {
    super(file);
    this.#bytes = bytes;
    this.#path = path;
  }

  /** A section's bytes as they are in the file, compressed if they are: a view, not a copy. */
  storedBytes(section: SmfSection): Uint8Array {
    return this.#bytes.subarray(section.offset, section.offset + section.size);
  }

  /**
   * A section's contents, decompressed: `virtualSize` bytes for what belongs
   * into the image, else what the file has.
   *
   * @returns a copy.
   * @throws {LoadError} `InvalidFormat` if compressed bytes do not make what the section says.
   */
  contents(section: SmfSection): Uint8Array {
    const plain = !isLoaded(section.type) && !section.compressed;
    const into = new Uint8Array(plain ? section.size : section.virtualSize);
    inFile(this.#path, () => readFrom(this.#bytes, readContents(section, into, undefined)));
    return into;
  }

  /** What precedes the data: a script line or a program that starts the module; mostly empty. A view. */
  stub(): Uint8Array {
    return this.#bytes.subarray(0, this.header.base);
  }
}

/**
 * Reads a file from memory and checks all that can be checked without loading
 * it: every record, its hash if it has one, and that its code may be code.
 * Needs no permission.
 *
 * @param bytes The file; must not change while the result is in use.
 * @param options `path` to be named in errors.
 * @throws {LoadError} of kind `InvalidFormat` or `Unsupported`.
 *
 * @example What a file exports
 * ```ts
 * import { parseSmf, SectionType, SmfBuilder, SymbolType } from "@simple/loader/format";
 * import { assertEquals } from "@std/assert";
 *
 * const builder = new SmfBuilder();
 * builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array([0xc3]) });
 * builder.symbol({ name: "nothing", type: SymbolType.Function, size: 1 });
 *
 * const file = parseSmf(builder.build());
 * assertEquals([...file.symbols].map(({ name }) => name), ["nothing"]);
 * ```
 */
export function parseSmf(bytes: Uint8Array, options: { readonly path?: string } = {}): ParsedSmf {
  return inFile(options.path, () => {
    const file = readFrom(bytes, readSmf(bytes.length));
    const parsed = new ParsedSmf(file, bytes, options.path);
    for (const section of file.sections) {
      if (!section.compressed) refuseForeignCode(section, parsed.storedBytes(section));
    }
    readFrom(bytes, verifyModuleHash(file));
    return parsed;
  });
}
