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
import { Binding, Compression, SectionFlag, SectionType } from "./enums.ts";
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
import { emitFile, emitRelocations, type StoredSection } from "./write_file.ts";

export type { RelocationOptions, RewriteOptions, SectionOptions, SmfBuilderOptions, SymbolOptions };

/** The name of the section in which {@linkcode SmfBuilder.build} puts relocations. */
const RELOC_NAME = ".reloc";

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
  #symbols: Required<SymbolOptions>[] = [];
  #relocations: Required<RelocationOptions>[] = [];
  #exports = new Set<string>();
  #compressed = false;

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
    const { name, binding, defined } = symbol;
    if (defined && binding === Binding.Global) {
      if (this.#exports.has(name)) throw new TypeError(`Cannot export '${name}': it is already exported`);
      this.#exports.add(name);
    }
    this.#symbols.push(symbol);
    return this.#symbols.length - 1;
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
    this.#relocations.push(completeRelocation(options, this.#symbols.length));
  }

  /**
   * Builds the file. You can add more afterwards and build again.
   *
   * @returns the bytes of the file.
   * @throws {TypeError} without a section, and for fields or compression that the layout has no place for.
   */
  build(): Uint8Array {
    const sections = [...this.#sections];
    if (this.#relocations.length > 0) {
      const bytes = emitRelocations(this.#relocations);
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
    return emitFile({
      layout: this.#layout,
      options: this.#options,
      compression,
      exportedCount: this.#exports.size,
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
