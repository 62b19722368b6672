/**
 * Writes what the parser reads.
 */

import { CHECKSUM_MARK, combineHashes, hashHeader } from "./checksum.ts";
import { compressZstd } from "./compress.ts";
import {
  Arch,
  Binding,
  Compression,
  HeaderFlag,
  Platform,
  SectionFlag,
  SectionType,
  SymbolType,
} from "./enums.ts";
import type { ParsedSmf } from "./file.ts";
import { hashName, xxh32 } from "./hash.ts";
import {
  type Layout,
  type LayoutName,
  LAYOUTS,
  MAGIC,
  RELOCATION_FIELDS,
  RELOCATION_SIZE,
  SECTION_NAME_SIZE,
  SYMBOL_FIELDS,
} from "./layout.ts";
import { MAX_ALIGNMENT, MAX_IMAGE_SIZE, MAX_NAME_LENGTH, MAX_SECTIONS } from "./limits.ts";
import { alignUp } from "./offsets.ts";
import { checkUnsigned, encodeName, writeRecord } from "./writer.ts";

/** What a {@linkcode SmfBuilder} writes into the header. */
export interface SmfBuilderOptions {
  /** The layout. Default: `"H96"`. */
  readonly layout?: LayoutName;
  /** A {@linkcode Platform}. Default: Linux. */
  readonly platform?: number;
  /** An {@linkcode Arch}. Default: X86_64. */
  readonly arch?: number;
  /** {@linkcode HeaderFlag} bits; `HasStub` is set by itself. Default: 0. */
  readonly flags?: number;
  /** Where execution starts, an offset in the image. Default: 0. */
  readonly entryPoint?: number;
  /** A hash of the source. Default: 0. */
  readonly sourceHash?: bigint;
  /** A {@linkcode Compression} for sections that ask for it. Default: zstd when there are any, else none. */
  readonly compression?: number;
  /** Told to readers, of no meaning to them. Default: 0. */
  readonly compressionLevel?: number;
  /** What precedes the data, in layouts that end with their header: a script line or a program. */
  readonly stub?: Uint8Array;
  /** An {@linkcode AppType}. Default: Cli. */
  readonly appType?: number;
  /** Pixels. Default: 0. */
  readonly windowWidth?: number;
  /** Pixels. Default: 0. */
  readonly windowHeight?: number;
  /** Default: 0. */
  readonly prefetchHint?: number;
  /** Default: 0. */
  readonly prefetchFileCount?: number;
}

/** A section to be written. */
export interface SectionOptions {
  /** At most 16 bytes of UTF-8. */
  readonly name: string;
  /** A {@linkcode SectionType}. */
  readonly type: number;
  /** {@linkcode SectionFlag} bits. Default: what the type needs. */
  readonly flags?: number;
  /** A power of two. Default: 16 for what belongs into the image, else 1. */
  readonly alignment?: number;
  /** The contents; not copied before {@linkcode SmfBuilder.build}. Default: none. */
  readonly bytes?: Uint8Array;
  /** Bytes in memory, at least as many as in the file. Default: the length of `bytes`. */
  readonly virtualSize?: number;
  /** Whether to compress `bytes`. */
  readonly compress?: boolean;
  /** Whether `bytes` are compressed already; `virtualSize` then says what they make. */
  readonly compressed?: boolean;
}

/** A symbol to be written. */
export interface SymbolOptions {
  /** At most 1 MiB of UTF-8. */
  readonly name: string;
  /** A {@linkcode SymbolType}. */
  readonly type: number;
  /** A {@linkcode Binding}. Default: Global. */
  readonly binding?: number;
  /** An offset in the image. Default: 0. */
  readonly value?: number;
  /** Bytes. Default: 0. */
  readonly size?: number;
  /** Default: 1 when defined, else 0. */
  readonly visibility?: number;
  /** Layout phase, template and pinning bits. Default: 0. */
  readonly flags?: number;
  /** Default: 0. */
  readonly typeId?: number;
  /** Default: 0. */
  readonly version?: number;
  /** In layouts with 56-byte symbols. Default: 0. */
  readonly templateParamCount?: number;
  /** In layouts with 56-byte symbols. Default: 0. */
  readonly templateOffset?: number;
  /** Whether this file defines it; `false` makes it an import. Default: true. */
  readonly defined?: boolean;
}

/** A relocation to be written. */
export interface RelocationOptions {
  /** The place to patch, an offset in the image. */
  readonly offset: number;
  /** What {@linkcode SmfBuilder.symbol} returned. */
  readonly symbol: number;
  /** A {@linkcode RelocationType}. */
  readonly type: number;
  /** A, in the formulas. Default: 0. */
  readonly addend?: bigint | number;
}

/** A section as it will be in the file. */
interface StoredSection {
  readonly name: Uint8Array;
  readonly type: number;
  readonly flags: number;
  readonly alignment: number;
  readonly bytes: Uint8Array;
  readonly virtualSize: number;
}

/** The name of the section that {@linkcode SmfBuilder.build} puts relocations in. */
const RELOC_NAME = ".reloc";

const EMPTY = new Uint8Array(0);

const READ_WRITE = SectionFlag.Read | SectionFlag.Write;
const DEFAULT_FLAGS: Readonly<Record<number, number>> = {
  [SectionType.Code]: SectionFlag.Read | SectionFlag.Exec,
  [SectionType.Data]: READ_WRITE,
  [SectionType.Bss]: READ_WRITE,
};
const DEFAULT_ALIGNMENT: Readonly<Record<number, number>> = {
  [SectionType.Code]: 16,
  [SectionType.Data]: 16,
  [SectionType.RoData]: 16,
  [SectionType.Bss]: 16,
  [SectionType.Reloc]: 8,
};

/**
 * Makes a file: version 1.1, zeroed padding, aligned tables, hashes filled in.
 * The same calls make the same bytes.
 *
 * @example A function that returns 7
 * ```ts
 * import { parseSmf, SectionType, SmfBuilder, SymbolType } from "@simple/loader";
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

  /** @param options What the header says. */
  constructor(options: SmfBuilderOptions = {}) {
    this.#options = options;
    const layout = options.layout ?? "H96";
    if (!Object.hasOwn(LAYOUTS, layout)) {
      throw new TypeError(`Cannot write layout '${layout}': there is none`);
    }
    this.#layout = LAYOUTS[layout];
    if (options.stub !== undefined && !this.#layout.trailer) {
      throw new TypeError(
        `Cannot write a stub in layout '${layout}': its header is at the start of the file`,
      );
    }
    check("platform", options.platform ?? 0, Object.values(Platform));
    check("arch", options.arch ?? 0, Object.values(Arch));
    check("compression", options.compression ?? 0, [Compression.None, Compression.Zstd]);
    if ((options.flags ?? 0) >= 0x80) {
      throw new RangeError(`Cannot write flags ${options.flags}: below 0x80 only`);
    }
    checkUnsigned("entryPoint", options.entryPoint ?? 0, 53);
  }

  /**
   * Adds a section.
   *
   * @returns its place in the section table.
   */
  section(options: SectionOptions): number {
    const { type } = options;
    checkUnsigned("the section's type", type, 8);
    const name = encodeName(options.name);
    if (name.length > SECTION_NAME_SIZE) {
      throw new RangeError(
        `Cannot write section '${options.name}': its name has more than ${SECTION_NAME_SIZE} bytes`,
      );
    }
    const alignment = options.alignment ?? DEFAULT_ALIGNMENT[type] ?? 1;
    if (!Number.isInteger(Math.log2(alignment)) || alignment > MAX_ALIGNMENT) {
      throw new RangeError(
        `Cannot align section '${options.name}' to ${alignment}: powers of two up to ${MAX_ALIGNMENT} only`,
      );
    }
    const plain = options.bytes ?? EMPTY;
    if (options.compressed && options.virtualSize === undefined) {
      throw new TypeError(`Cannot write section '${options.name}': compressed bytes need a virtual size`);
    }
    const virtualSize = options.virtualSize ?? plain.length;
    checkUnsigned("the section's virtual size", virtualSize, 53);
    if (virtualSize > MAX_IMAGE_SIZE || !options.compressed && virtualSize < plain.length) {
      throw new RangeError(
        `Cannot write section '${options.name}': its virtual size ${virtualSize} is not in [${plain.length}, ${MAX_IMAGE_SIZE}]`,
      );
    }
    if (type === SectionType.Bss && plain.length > 0) {
      throw new TypeError(`Cannot write section '${options.name}': zeroed sections have no bytes`);
    }
    let flags = options.flags ?? DEFAULT_FLAGS[type] ?? SectionFlag.Read;
    let bytes = plain;
    if (options.compress || options.compressed) {
      flags |= SectionFlag.Compressed;
      this.#compressed = true;
      // The whole of it in memory: a compressed section has no zeroed rest.
      if (options.compress) bytes = compressZstd(padded(plain, virtualSize));
    }
    const writable = (flags & SectionFlag.Write) !== 0;
    if (writable && ((flags & SectionFlag.Exec) !== 0 || type === SectionType.Code)) {
      throw new TypeError(`Cannot write section '${options.name}': it would be writable and executable`);
    }
    if (this.#sections.length === MAX_SECTIONS - 1) {
      throw new RangeError("Cannot add a section: there are too many");
    }
    this.#sections.push({ name, type, flags, alignment, bytes, virtualSize });
    return this.#sections.length - 1;
  }

  /**
   * Adds a symbol.
   *
   * @returns its place in the symbol table, for relocations.
   */
  symbol(options: SymbolOptions): number {
    const { name } = options;
    const defined = options.defined ?? true;
    const symbol: Required<SymbolOptions> = {
      binding: Binding.Global,
      value: 0,
      size: 0,
      visibility: defined ? 1 : 0,
      flags: 0,
      typeId: 0,
      version: 0,
      templateParamCount: 0,
      templateOffset: 0,
      ...options,
      defined,
    };
    if (encodeName(name).length > MAX_NAME_LENGTH) {
      throw new RangeError(`Cannot write a symbol: its name has more than ${MAX_NAME_LENGTH} bytes`);
    }
    check(`the type of symbol '${name}'`, symbol.type, Object.values(SymbolType));
    check(`the binding of symbol '${name}'`, symbol.binding, Object.values(Binding));
    if (symbol.type < this.#layout.symbolTypeBase) {
      throw new TypeError(`Cannot write symbol '${name}': layout '${this.#layout.name}' has no type None`);
    }
    checkUnsigned(`the value of symbol '${name}'`, symbol.value, 53);
    checkUnsigned(`the size of symbol '${name}'`, symbol.size, 53);
    const marked = symbol.binding === Binding.Local || symbol.visibility !== 0;
    if (!defined && (marked || symbol.value !== 0 || symbol.size !== 0)) {
      throw new TypeError(
        `Cannot import '${name}': an import is not local and has no value, size or visibility`,
      );
    }
    if (defined && !marked && symbol.value === 0 && symbol.size === 0) {
      throw new TypeError(
        `Cannot define '${name}': without visibility, value and size it would be an import`,
      );
    }
    if (defined && symbol.binding === Binding.Global) {
      if (this.#exports.has(name)) throw new TypeError(`Cannot export '${name}': it is exported already`);
      this.#exports.add(name);
    }
    this.#symbols.push(symbol);
    return this.#symbols.length - 1;
  }

  /** Adds a relocation. All of them go into one section at the end of the table. */
  relocation(options: RelocationOptions): void {
    const addend = options.addend ?? 0;
    checkUnsigned("the relocation's offset", options.offset, 53);
    checkUnsigned("the relocation's type", options.type, 8);
    if (!(options.symbol >= 0 && options.symbol < this.#symbols.length)) {
      throw new RangeError(`Cannot relocate by symbol ${options.symbol}: there are ${this.#symbols.length}`);
    }
    if (typeof addend === "number" ? !Number.isSafeInteger(addend) : BigInt.asIntN(64, addend) !== addend) {
      throw new RangeError(`Cannot write the addend ${addend}: it is no signed number of 64 bits`);
    }
    this.#relocations.push({ ...options, addend });
  }

  /** The file. */
  build(): Uint8Array {
    const layout = this.#layout, options = this.#options;
    const stub = options.stub ?? EMPTY;
    const sections = this.#allSections();
    if (sections.length === 0) throw new TypeError("Cannot write the file: it has no sections");
    const { names, nameOffsets } = this.#stringTable();

    // Places, relative to the end of the stub.
    const tableSize = sections.length * layout.section.size;
    let at = layout.trailer ? 0 : layout.header.size + tableSize;
    const offsets = sections.map(({ bytes, alignment }) => {
      if (bytes.length === 0) return 0;
      const offset = alignUp(at, alignment);
      at = offset + bytes.length;
      return offset;
    });
    const sectionTable = layout.trailer ? alignUp(at, 8) : layout.header.size;
    if (layout.trailer) at = sectionTable + tableSize;
    const symbolTable = this.#symbols.length === 0 ? 0 : alignUp(at, 8);
    const symbolsSize = this.#symbols.length * layout.symbolSize + names.length;
    if (symbolTable > 0) at = symbolTable + symbolsSize;
    const header = layout.trailer ? at : 0;
    const size = stub.length + (layout.trailer ? at + layout.header.size : at);

    const file = new Uint8Array(size);
    const data = file.subarray(stub.length);
    file.set(stub);
    sections.forEach((section, i) => {
      data.set(section.bytes, offsets[i]);
      this.#writeSection(data, sectionTable + i * layout.section.size, section, offsets[i]);
    });
    this.#symbols.forEach((symbol, i) => {
      this.#writeSymbol(data, symbolTable + i * layout.symbolSize, symbol, nameOffsets[i]);
    });
    if (symbolTable > 0) data.set(names, symbolTable + this.#symbols.length * layout.symbolSize);
    this.#writeHeader(data, header, {
      section_count: sections.length,
      section_table_offset: sectionTable,
      symbol_table_offset: symbolTable,
    });

    // Last of all, when every other byte is there.
    const headerBytes = data.subarray(header, header + layout.header.size);
    const moduleHash = combineHashes(
      [
        hashHeader(headerBytes, layout),
        xxh32(data.subarray(sectionTable, sectionTable + tableSize)),
        xxh32(symbolTable > 0 ? data.subarray(symbolTable, symbolTable + symbolsSize) : EMPTY),
        ...sections.map(({ bytes }) => xxh32(bytes)),
      ],
      size,
    );
    writeRecord(headerBytes, 0, layout.header.fields, { module_hash: moduleHash });
    return file;
  }

  #writeHeader(data: Uint8Array, at: number, places: Readonly<Record<string, number>>): void {
    const options = this.#options;
    const stubSize = options.stub?.length ?? 0;
    data.set(encodeAscii(MAGIC), at);
    data.set(encodeAscii(CHECKSUM_MARK), at + this.#layout.header.mark);
    writeRecord(data, at, this.#layout.header.fields, {
      version_major: 1,
      version_minor: 1,
      platform: options.platform ?? Platform.Linux,
      arch: options.arch ?? Arch.X86_64,
      flags: (options.flags ?? 0) | (stubSize > 0 ? HeaderFlag.HasStub : 0),
      compression: options.compression ?? (this.#compressed ? Compression.Zstd : Compression.None),
      compression_level: options.compressionLevel ?? 0,
      ...places,
      symbol_count: this.#symbols.length,
      exported_count: this.#exports.size,
      entry_point: options.entryPoint ?? 0,
      stub_size: stubSize,
      smf_data_offset: stubSize,
      source_hash: options.sourceHash ?? 0n,
      app_type: options.appType ?? 0,
      window_width: options.windowWidth ?? 0,
      window_height: options.windowHeight ?? 0,
      prefetch_hint: options.prefetchHint ?? 0,
      prefetch_file_count: options.prefetchFileCount ?? 0,
    });
  }

  #writeSection(data: Uint8Array, at: number, section: StoredSection, offset: number): void {
    const layout = this.#layout.section;
    data.set(section.name, at + layout.name);
    writeRecord(data, at, layout.fields, {
      section_type: section.type,
      flags: section.flags,
      offset,
      size: section.bytes.length,
      virtual_size: section.virtualSize,
      alignment: section.alignment,
    });
  }

  #writeSymbol(data: Uint8Array, at: number, symbol: Required<SymbolOptions>, nameOffset: number): void {
    const narrow = this.#layout.symbolSize === 40;
    const { template_param_count: _, template_offset: __, ...common } = SYMBOL_FIELDS;
    writeRecord(data, at, narrow ? common : SYMBOL_FIELDS, {
      name_offset: nameOffset,
      name_hash: hashName(symbol.name),
      sym_type: symbol.type - this.#layout.symbolTypeBase,
      binding: symbol.binding,
      visibility: symbol.visibility,
      flags: symbol.flags,
      value: symbol.value,
      size: symbol.size,
      type_id: symbol.typeId,
      version: symbol.version,
      template_param_count: symbol.templateParamCount,
      template_offset: symbol.templateOffset,
    });
  }

  /** The sections, with the relocations as the last. */
  #allSections(): StoredSection[] {
    if (this.#relocations.length === 0) return this.#sections;
    const bytes = new Uint8Array(this.#relocations.length * RELOCATION_SIZE);
    this.#relocations.forEach(({ offset, symbol, type, addend }, i) => {
      writeRecord(bytes, i * RELOCATION_SIZE, RELOCATION_FIELDS, {
        offset,
        symbol_index: symbol,
        reloc_type: type,
        addend: BigInt.asUintN(64, BigInt(addend)),
      });
    });
    const reloc: StoredSection = {
      name: encodeName(RELOC_NAME),
      type: SectionType.Reloc,
      flags: SectionFlag.Read,
      alignment: 8,
      bytes,
      virtualSize: bytes.length,
    };
    return [...this.#sections, reloc];
  }

  /** All names, each once, behind an empty one at 0. */
  #stringTable(): { names: Uint8Array; nameOffsets: number[] } {
    const places = new Map<string, number>([["", 0]]);
    const encoded: [Uint8Array, number][] = [];
    let size = 1;
    const nameOffsets = this.#symbols.map(({ name }) => {
      const known = places.get(name);
      if (known !== undefined) return known;
      const bytes = encodeName(name);
      const at = size;
      places.set(name, at);
      encoded.push([bytes, at]);
      size += bytes.length + 1;
      return at;
    });
    const names = new Uint8Array(size);
    for (const [bytes, at] of encoded) names.set(bytes, at);
    return { names, nameOffsets };
  }

  /**
   * A builder that makes this file again. For files that a builder wrote the
   * bytes are the same; from others, everything that is read is kept, in this
   * package's own order.
   */
  static from(file: ParsedSmf): SmfBuilder {
    const { header } = file;
    const stub = file.stub();
    const builder = new SmfBuilder({
      ...header,
      flags: header.flags & ~HeaderFlag.HasStub,
      stub: stub.length > 0 ? stub : undefined,
    });
    for (const section of file.sections) {
      if (section.type === SectionType.Reloc) continue;
      builder.section({ ...section, bytes: file.storedBytes(section) });
    }
    for (const symbol of file.symbols) {
      const defined = file.isDefined(symbol.index);
      const visibility = defined && isAllZero(symbol) ? 1 : symbol.visibility;
      builder.symbol({ ...symbol, defined, visibility });
    }
    for (const relocation of file.relocations) builder.relocation(relocation);
    return builder;
  }
}

function isAllZero(symbol: { visibility: number; value: number; size: number }): boolean {
  return symbol.visibility === 0 && symbol.value === 0 && symbol.size === 0;
}

function encodeAscii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  const all = new Uint8Array(length);
  all.set(bytes);
  return all;
}

function check(what: string, value: number, allowed: readonly number[]): void {
  if (!allowed.includes(value)) throw new RangeError(`Cannot write ${what} as ${value}: there is none`);
}
