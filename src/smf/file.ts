/**
 * A whole file: reads and checks header, sections, symbols and relocations. The
 * contents of sections are read separately (contents.ts), directly into the memory
 * that they belong in.
 */

import { inFile, LoadError, raise } from "../errors/load_error.ts";
import { checkOptions, type OptionTable, STRING } from "../errors/options.ts";
import { checkStoredSize, hashHeader, isMarked, ModuleChecksum, verifyModuleHash } from "./checksum.ts";
import { readContents, readRelocations, refuseForeignCode } from "./contents.ts";
import { detect } from "./detect.ts";
import { SectionType } from "./enums.ts";
import { xxh32 } from "./hash.ts";
import { isBytecode, type SmfHeader } from "./header.ts";
import { COMPILE_TO_MACHINE_CODE } from "./hints.ts";
import type { Layout } from "./layout.ts";
import { type Entries, readEntries } from "./entries.ts";
import { type Home, readHomes } from "./homes.ts";
import { readHostLibraries } from "./host_libraries.ts";
import { isLoaded } from "./offsets.ts";
import { readFrom, type Reading } from "./reader.ts";
import type { RelocationTable } from "./reloc.ts";
import { readSections, type SmfSection } from "./section.ts";
import { SymbolTable } from "./symbol.ts";
import type { SymbolCounts } from "./symbol_check.ts";
import { type ModuleTypes, readTypes } from "./types.ts";

const NO_BYTES = new Uint8Array(0);

/** The tables of a file: everything except the contents of its sections. */
export class SmfFile {
  /** The header. */
  readonly header: SmfHeader;
  /** The sections, in table order. */
  readonly sections: readonly SmfSection[];
  /** The symbols, in table order. */
  readonly symbols: SymbolTable;
  /** The relocations of all Reloc sections. */
  readonly relocations: RelocationTable;
  /** Size of the file in bytes. */
  readonly size: number;
  /** Hashes section contents while they are read; `undefined` if the file has no hash. */
  readonly checksum: ModuleChecksum | undefined;

  /** Collects the results of {@linkcode readSmf}. */
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

  /** Whether a symbol is defined in this file, not imported. */
  isDefined(symbolIndex: number): boolean {
    return this.symbols.isDefined(symbolIndex);
  }

  /** The names that the file imports, each once, in table order. */
  imports(): string[] {
    const names = new Set<string>();
    for (let i = 0; i < this.symbols.length; i++) {
      if (!this.symbols.isDefined(i)) names.add(this.symbols.name(i));
    }
    return [...names];
  }
}

/** The findings of an earlier check of a file, and the facts by which the file is recognised. */
export interface CheckedTables {
  /** The `module_hash` of its header. */
  readonly moduleHash: bigint;
  /** The hashes of the rest of its header, and of its section table. */
  readonly tableHashes: readonly number[];
  readonly counts: SymbolCounts;
}

/**
 * Reads everything except section contents from a file of `size` bytes.
 *
 * @param checked The findings of an earlier check of this file. If header and section table are the same, its symbols
 * and its hash are not checked again, and its checksum `isKnown`.
 */
export function* readSmf(size: number, checked?: CheckedTables): Reading<SmfFile> {
  const { header, layout, bytes: headerBytes } = yield* detect(size);
  const marked = isMarked(headerBytes, layout);
  const hasHash = marked && header.moduleHash !== 0n;
  if (hasHash) checkStoredSize(header, layout, size);
  refuseBytecode(header, layout);

  const { list: sections, bytes: sectionBytes } = yield* readSections(header, layout, size);

  const symbolsStart = header.symbolTableOffset;
  const symbolsLength = symbolsEnd(header, layout, sections, size) - symbolsStart;
  const symbolBytes = symbolsLength > 0 ? yield { offset: symbolsStart, length: symbolsLength } : NO_BYTES;
  const hashes = hasHash ? [hashHeader(headerBytes, layout), xxh32(sectionBytes)] : [];
  const isKnown = hasHash && checked !== undefined && checked.moduleHash === header.moduleHash &&
    hashes.every((hash, index) => hash === checked.tableHashes[index]);
  const symbols = new SymbolTable(
    {
      bytes: symbolBytes,
      count: header.symbolCount,
      layout,
      fileOffset: header.symbolTableOffset,
      exportedCount: header.exportedCount,
      marked,
    },
    raise,
    isKnown ? checked.counts : undefined,
  );
  if (hasHash && !isKnown) hashes.push(xxh32(symbolBytes));
  const checksum = hasHash ? new ModuleChecksum(header, layout, hashes, sections, size, isKnown) : undefined;

  const relocations = yield* readRelocations(sections, symbols.length, checksum);
  return new SmfFile({ header, sections, symbols, relocations, size, checksum });
}

/**
 * Refuses files of bytecode, which have no symbol table.
 *
 * @throws {LoadError} `Unsupported`.
 */
export function refuseBytecode(header: SmfHeader, layout: Layout): void {
  if (!isBytecode(header)) return;
  throw new LoadError("Unsupported", "Cannot load the file: it holds bytecode, not machine code", {
    offset: header.offset + layout.header.fields.symbol_table_offset[0],
    hint: COMPILE_TO_MACHINE_CODE,
  });
}

/**
 * Finds the end of the names behind the symbols: where the next part of the file
 * starts, or the file or a header at its end.
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
  const endBefore = (offset: number) => {
    if (offset >= tableEnd && offset < end) end = offset;
  };
  endBefore(header.sectionTableOffset);
  for (const section of sections) {
    const { type } = section;
    const used = isLoaded(type) || type === SectionType.Reloc || type === SectionType.Dwarf;
    if (used && section.size > 0) endBefore(section.offset);
  }
  return end;
}

/** A file in memory, with access to the contents of its sections. */
export class ParsedSmf extends SmfFile {
  #bytes: Uint8Array;
  #path: string | undefined;

  /** Wraps the result of {@linkcode readSmf} with the bytes that it was read from. */
  constructor(file: SmfFile, bytes: Uint8Array, path?: string) {
    super(file);
    this.#bytes = bytes;
    this.#path = path;
  }

  /** Returns a section's bytes as they are in the file, compressed or not: a view, not a copy. */
  storedBytes(section: SmfSection): Uint8Array {
    return this.#bytes.subarray(section.offset, section.offset + section.size);
  }

  /**
   * Returns a section's contents, decompressed: `virtualSize` bytes for sections
   * of the image, else the bytes in the file.
   *
   * @returns a copy.
   * @throws {LoadError} `InvalidFormat` if compressed bytes do not decompress to the section's virtual size.
   */
  contents(section: SmfSection): Uint8Array {
    const plain = !isLoaded(section.type) && !section.compressed;
    const into = new Uint8Array(plain ? section.size : section.virtualSize);
    inFile(this.#path, () => readFrom(this.#bytes, readContents(section, into, undefined)));
    return into;
  }

  /**
   * Returns the host libraries that the module names, beside the C library.
   *
   * @throws {LoadError} `InvalidFormat` if the section holds something else.
   */
  hostLibraries(): string[] {
    return inFile(this.#path, () => readFrom(this.#bytes, readHostLibraries(this.sections)));
  }

  /**
   * Returns the homes of the module's variables: the places that stay where they are over reloads.
   *
   * @throws {LoadError} `InvalidFormat` if the section holds something else.
   */
  homes(): Home[] {
    return inFile(this.#path, () => readFrom(this.#bytes, readHomes(this)));
  }

  /**
   * Returns the functions that a reload switches and that are not exported, and the slots of calls; undefined if the
   * module was not linked with `smf link --hot`.
   *
   * @throws {LoadError} `InvalidFormat` if the section holds something else.
   */
  entries(): Entries | undefined {
    return inFile(this.#path, () => readFrom(this.#bytes, readEntries(this)));
  }

  /**
   * Returns the types of the module's exports and writable variables; undefined if it keeps none.
   *
   * @throws {LoadError} `InvalidFormat` if the section of types is damaged.
   *
   * @example Show how a function is declared
   * ```ts
   * import { linkObjects, parseSmf } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * const object = { name: "sample.o", bytes: Deno.readFileSync("fixtures/types/sample.o") }; // gcc -g
   * const file = parseSmf(linkObjects([object]).bytes);
   * const types = file.types();
   * const scale = file.symbols.find("scale")!;
   * assertEquals(types?.declaration("scale", types.of(scale)!), "point scale(point p, double factor)");
   * ```
   */
  types(): ModuleTypes | undefined {
    return inFile(this.#path, () => readFrom(this.#bytes, readTypes(this.sections)));
  }

  /** Returns what precedes the data, usually nothing: a script line or a program that starts the module. A view. */
  stub(): Uint8Array {
    return this.#bytes.subarray(0, this.header.base);
  }
}

const PARSE_OPTIONS: OptionTable<{ readonly path?: string }> = { path: STRING };

/**
 * Reads a file from memory and checks everything that can be checked without
 * loading it: every record, its hash if it has one, and that its code is not
 * bytecode or an ELF file. Needs no permission.
 *
 * @param bytes The file; must not change while the result is in use.
 * @param options `path`: the file's name in errors.
 * @throws {LoadError} of kind `InvalidFormat` or `Unsupported`.
 *
 * @example List the symbols of a file
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
  checkOptions("parse module", options, PARSE_OPTIONS);
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
