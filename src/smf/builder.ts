/**
 * Writes SMF files, which the parser in file.ts reads.
 */

import { checkHeaderOptions, completeRelocation, completeSection, completeSymbol } from "./builder_check.ts";
import { checkOptions } from "../errors/options.ts";
import type {
  RelocationOptions,
  RewriteOptions,
  SectionOptions,
  SmfBuilderOptions,
  SymbolOptions,
} from "./builder_options.ts";
import { Compression, SectionFlag, SectionType } from "./enums.ts";
import type { ParsedSmf } from "./file.ts";
import type { Layout } from "./layout.ts";
import { MAX_SECTIONS } from "./limits.ts";
import {
  contentSections,
  headerOptionsOf,
  REWRITE_OPTIONS,
  sectionOptionsOf,
  symbolOptionsOf,
} from "./rewrite.ts";
import type { FileParts } from "./file_parts.ts";
import { RelocationRecords, SymbolRecords } from "./table_writer.ts";
import { arrangeFile, type StoredSection } from "./write_file.ts";

export type { RelocationOptions, RewriteOptions, SectionOptions, SmfBuilderOptions, SymbolOptions };

/** The name of the section in which {@linkcode SmfBuilder.build} puts relocations. */
const RELOC_NAME = ".reloc";

/** The parts of a builder that writers of large files use directly, without an object for each symbol. */
export interface BuilderParts {
  readonly symbols: SymbolRecords;
  readonly relocations: RelocationRecords;
  /** Builds the file as {@linkcode SmfBuilder.build} does, without making it one array. */
  arrange(): FileParts;
}

/** Returns the parts of a builder. */
export let partsOf: (builder: SmfBuilder) => BuilderParts;

/**
 * Builds a file of version 1.1, with zeroed padding, aligned tables and hashes.
 * The same calls build the same bytes. Options that the format cannot represent
 * throw a `TypeError` or `RangeError` at the call that has them.
 *
 * @example A function that returns 7
 * ```ts
 * import { parseSmf, SectionType, SmfBuilder, SymbolType } from "@simple/loader/format";
 * import { assertEquals } from "@std/assert";
 *
 * const code = new Uint8Array([0xb8, 7, 0, 0, 0, 0xc3]); // mov eax, 7; ret
 * const builder = new SmfBuilder();
 * builder.section({ name: "code", type: SectionType.Code, bytes: code });
 * builder.symbol({ name: "seven", type: SymbolType.Function, size: code.length });
 *
 * assertEquals(parseSmf(builder.build()).symbols.find("seven")?.size, 6);
 * ```
 */
export class SmfBuilder {
  #options: SmfBuilderOptions;
  #layout: Layout;
  #sections: StoredSection[] = [];
  readonly #symbols: SymbolRecords;
  readonly #relocations = new RelocationRecords();
  #compressed = false;

  static {
    partsOf = (builder) => ({
      symbols: builder.#symbols,
      relocations: builder.#relocations,
      arrange: () => builder.#arrange(),
    });
  }

  /**
   * Starts a file without sections.
   *
   * @param options The fields of the header.
   * @throws {RangeError} for a number that the format cannot represent.
   * @throws {TypeError} for an unknown layout, and a stub that the layout has no place for.
   */
  constructor(options: SmfBuilderOptions = {}) {
    this.#options = options;
    this.#layout = checkHeaderOptions(options);
    this.#symbols = new SymbolRecords(this.#layout);
  }

  /**
   * Adds a section.
   *
   * @returns its index in the section table.
   * @throws {RangeError} for a name, type, size, alignment or flag that the format cannot represent.
   * @throws {TypeError} for a section that is both writable and executable, a zeroed one with bytes, and
   * compressed bytes without a virtual size.
   */
  section(options: SectionOptions): number {
    // One place is left for relocations.
    if (this.#sections.length === MAX_SECTIONS - 1) {
      throw new RangeError(`Cannot write section '${options.name}': the file has too many sections`);
    }
    const section = completeSection(options);
    this.#compressed ||= (section.flags & SectionFlag.Compressed) !== 0;
    this.#sections.push(section);
    return this.#sections.length - 1;
  }

  /**
   * Adds a symbol.
   *
   * @returns its index in the symbol table, for relocations.
   * @throws {RangeError} for a number or a name that the format cannot represent.
   * @throws {TypeError} for a name that is already exported, and for a definition that readers would take for an
   * import or the other way round.
   */
  symbol(options: SymbolOptions): number {
    const symbol = completeSymbol(options, this.#layout);
    const { name, type, binding, visibility, flags, value, size, defined } = symbol;
    const symbols = this.#symbols, number = symbols.names.add(name);
    const index = defined
      ? symbols.define(number, type, binding, visibility, flags, value, size)
      : symbols.import(number, type, binding, flags);
    if (index === -1) throw new TypeError(`Cannot export '${name}': it is already exported`);
    symbols.setRare(index, symbol);
    return index;
  }

  /**
   * Adds a relocation. All relocations go into one section at the end of the table.
   *
   * @throws {RangeError} for a symbol that was not added, or a number that the format cannot represent.
   *
   * @example A word that holds an address
   * ```ts
   * import { parseSmf, RelocationType, SectionType, SmfBuilder, SymbolType } from "@simple/loader/format";
   * import { assertEquals } from "@std/assert";
   *
   * const builder = new SmfBuilder();
   * builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(8) });
   * const symbol = builder.symbol({ name: "elsewhere", type: SymbolType.Function, defined: false });
   * builder.relocation({ offset: 0, symbol, type: RelocationType.Abs64 });
   *
   * const file = parseSmf(builder.build());
   * assertEquals(file.imports(), ["elsewhere"]);
   * assertEquals(file.relocations.at(0).type, RelocationType.Abs64);
   * ```
   */
  relocation(options: RelocationOptions): void {
    const { offset, symbol, type, addend } = completeRelocation(options, this.#symbols.length);
    this.#relocations.add(offset, symbol, type, addend);
  }

  /**
   * Builds the file. You can add more afterwards and build again.
   *
   * @returns the bytes of the file.
   * @throws {TypeError} without a section, and for fields or compression that the layout has no place for.
   */
  build(): Uint8Array {
    return this.#arrange().join();
  }

  #arrange(): FileParts {
    const sections = [...this.#sections];
    if (this.#relocations.length > 0) {
      const { bytes } = this.#relocations;
      sections.push({
        name: new TextEncoder().encode(RELOC_NAME),
        type: SectionType.Reloc,
        flags: SectionFlag.Read,
        alignment: 8,
        bytes,
        virtualSize: bytes.length,
      });
    }
    if (sections.length === 0) throw new TypeError("Cannot write the file: it has no sections");
    const compression = this.#options.compression ?? (this.#compressed ? Compression.Zstd : Compression.None);
    if (this.#compressed && compression === Compression.None) {
      throw new TypeError("Cannot write the file: it has compressed sections, but compression is None");
    }
    return arrangeFile({
      layout: this.#layout,
      options: this.#options,
      compression,
      sections,
      symbols: this.#symbols,
    });
  }

  /**
   * Makes a builder that builds this file again. Files that a builder wrote come
   * out with the same bytes; of other files, everything that the parser reads is
   * kept if the layout has a place for it, in this package's own order. Signatures
   * are left out: they are of the file as it was.
   *
   * @throws {TypeError} if the layout has no place for something that must not be lost.
   */
  static from(file: ParsedSmf, options: RewriteOptions = {}): SmfBuilder {
    checkOptions("rewrite module", options, REWRITE_OPTIONS);
    const builder = new SmfBuilder(headerOptionsOf(file, options));
    for (const section of contentSections(file)) {
      builder.section(sectionOptionsOf(file, section, options));
    }
    for (const symbol of file.symbols) builder.symbol(symbolOptionsOf(file, symbol, builder.#layout));
    for (const relocation of file.relocations) builder.relocation(relocation);
    return builder;
  }
}
