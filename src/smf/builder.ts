/**
 * Writes what the parser reads.
 */

import type {
  RelocationOptions,
  RewriteOptions,
  SectionOptions,
  SmfBuilderOptions,
  SymbolOptions,
} from "./builder_options.ts";
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
import { emit, emitRelocations, type StoredSection } from "./write_file.ts";
import type { ParsedSmf } from "./file.ts";
import { type Layout, LAYOUTS, SECTION_NAME_SIZE } from "./layout.ts";
import { MAX_ALIGNMENT, MAX_IMAGE_SIZE, MAX_NAME_LENGTH, MAX_SECTIONS } from "./limits.ts";
import { isLoaded } from "./offsets.ts";
import { checkEnum, checkName, checkUnsigned } from "./write_record.ts";

export type { RelocationOptions, RewriteOptions, SectionOptions, SmfBuilderOptions, SymbolOptions };

/** The name of the section that {@linkcode SmfBuilder.build} puts relocations in. */
const RELOC_NAME = ".reloc";

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

/** In place of what a layout has no fields for. */
const NO_HINTS = {
  compressionLevel: 0,
  appType: 0,
  windowWidth: 0,
  windowHeight: 0,
  prefetchHint: 0,
  prefetchFileCount: 0,
};
const NO_TEMPLATE = { templateParamCount: 0, templateOffset: 0 };

/**
 * Makes a file: version 1.1, zeroed padding, aligned tables, hashes filled in.
 * The same calls make the same bytes. What cannot be a file is a `TypeError` or
 * a `RangeError` as soon as it is said.
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
   * @param options What the header says.
   */
  constructor(options: SmfBuilderOptions = {}) {
    const { layout = "H96", stub, flags = 0, compression = Compression.None } = options;
    if (!Object.hasOwn(LAYOUTS, layout)) {
      throw new TypeError(`Cannot write layout '${layout}': there is none`);
    }
    this.#options = options;
    this.#layout = LAYOUTS[layout];
    if (stub !== undefined && !this.#layout.trailer) {
      throw new TypeError(
        `Cannot write a stub in layout '${layout}': its header is at the start of the file`,
      );
    }
    checkEnum("the platform", options.platform ?? Platform.Any, Platform);
    checkEnum("the processor", options.arch ?? Arch.X86_64, Arch);
    if (compression !== Compression.None && compression !== Compression.Zstd) {
      throw new RangeError(`Cannot compress by method ${compression}: only zstd (1) is there`);
    }
    checkUnsigned("the flags", flags, 8);
    if ((flags & HeaderFlag.HasStub) !== 0 && stub === undefined) {
      throw new TypeError("Cannot set HasStub: there is no stub");
    }
    checkUnsigned("the entry point", options.entryPoint ?? 0, 53);
  }

  /**
   * Adds a section.
   *
   * @returns its place in the section table.
   * @throws {RangeError} for a name, type, size, alignment or flag that the format has no place for.
   * @throws {TypeError} for a section that would be writable and executable, zeroed ones with bytes, and
   * compressed bytes without a virtual size.
   */
  section(options: SectionOptions): number {
    const { type, bytes: plain = new Uint8Array(0), virtualSize = plain.length } = options;
    const refuse = (reason: string, error: typeof RangeError = RangeError) =>
      new error(`Cannot write section '${options.name}': ${reason}`);
    checkName(options.name);
    const name = new TextEncoder().encode(options.name);
    if (name.length > SECTION_NAME_SIZE) throw refuse(`its name has more than ${SECTION_NAME_SIZE} bytes`);
    if (this.#sections.length === MAX_SECTIONS - 1) throw refuse("there are too many");
    checkUnsigned("the section's type", type, 8);

    const alignment = options.alignment ?? DEFAULT_ALIGNMENT[type] ?? 1;
    if (!Number.isInteger(Math.log2(alignment)) || alignment > MAX_ALIGNMENT) {
      throw refuse(`its alignment ${alignment} is no power of two up to ${MAX_ALIGNMENT}`);
    }

    const packed = options.compress === true || options.compressed === true;
    if (options.compressed && options.virtualSize === undefined) {
      throw refuse("compressed bytes need a virtual size", TypeError);
    }
    checkUnsigned("the section's virtual size", virtualSize, 53);
    if (virtualSize > MAX_IMAGE_SIZE || !options.compressed && virtualSize < plain.length) {
      throw refuse(`its virtual size ${virtualSize} is not in [${plain.length}, ${MAX_IMAGE_SIZE}]`);
    }
    if (type === SectionType.Bss && (plain.length > 0 || packed)) {
      throw refuse("zeroed sections have no bytes", TypeError);
    }

    let flags = options.flags ?? DEFAULT_FLAGS[type] ?? SectionFlag.Read;
    checkUnsigned("the section's flags", flags, 4);
    if (packed) flags |= SectionFlag.Compressed;
    else if ((flags & SectionFlag.Compressed) !== 0) {
      throw refuse("flag Compressed is set by the options compress and compressed only", TypeError);
    }
    const writable = (flags & SectionFlag.Write) !== 0;
    if (writable && ((flags & SectionFlag.Exec) !== 0 || type === SectionType.Code)) {
      throw refuse("it would be writable and executable", TypeError);
    }

    // Compressed is the whole of it in memory: there is no zeroed rest.
    const bytes = options.compress ? compressZstd(padded(plain, virtualSize)) : plain;
    this.#compressed ||= packed;
    this.#sections.push({ name, type, flags, alignment, bytes, virtualSize });
    return this.#sections.length - 1;
  }

  /**
   * Adds a symbol.
   *
   * @returns its place in the symbol table, for relocations.
   * @throws {RangeError} for a number or a name that the format has no place for.
   * @throws {TypeError} for a name that is exported already, and a symbol that readers would take for an
   * import though it is defined, or the other way round.
   */
  symbol(options: SymbolOptions): number {
    const { name, defined = true } = options;
    const symbol: Required<SymbolOptions> = {
      name,
      type: options.type,
      binding: options.binding ?? Binding.Global,
      value: options.value ?? 0,
      size: options.size ?? 0,
      visibility: options.visibility ?? (defined ? 1 : 0),
      flags: options.flags ?? 0,
      typeId: options.typeId ?? 0,
      version: options.version ?? 0,
      templateParamCount: options.templateParamCount ?? 0,
      templateOffset: options.templateOffset ?? 0,
      defined,
    };
    const { type, binding, value, size, visibility } = symbol;
    checkName(name);
    if (name.length * 3 > MAX_NAME_LENGTH && new TextEncoder().encode(name).length > MAX_NAME_LENGTH) {
      throw new RangeError(`Cannot write the symbol: its name has more than ${MAX_NAME_LENGTH} bytes`);
    }
    checkEnum("the symbol's type", type, SymbolType);
    checkEnum("the symbol's binding", binding, Binding);
    if (type < this.#layout.symbolTypeBase) {
      throw new TypeError(`Cannot write symbol '${name}': layout '${this.#layout.name}' has no type None`);
    }
    checkUnsigned("the symbol's value", value, 53);
    checkUnsigned("the symbol's size", size, 53);
    if (!defined && (binding === Binding.Local || visibility !== 0 || value !== 0 || size !== 0)) {
      throw new TypeError(
        `Cannot import '${name}': an import is not local and has no value, size or visibility`,
      );
    }
    if (defined && binding !== Binding.Local && visibility === 0 && value === 0 && size === 0) {
      throw new TypeError(
        `Cannot define '${name}': without visibility, value and size it would be an import`,
      );
    }
    if (defined && binding === Binding.Global) {
      if (this.#exports.has(name)) throw new TypeError(`Cannot export '${name}': it is exported already`);
      this.#exports.add(name);
    }
    this.#symbols.push(symbol);
    return this.#symbols.length - 1;
  }

  /**
   * Adds a relocation. All of them go into one section at the end of the table.
   *
   * @throws {RangeError} for a symbol that was not added, or a number that the format has no place for.
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
    const { offset, symbol, type, addend = 0 } = options;
    checkUnsigned("the relocation's offset", offset, 53);
    checkUnsigned("the relocation's type", type, 8);
    if (!(Number.isInteger(symbol) && symbol >= 0 && symbol < this.#symbols.length)) {
      throw new RangeError(`Cannot relocate by symbol ${symbol}: there are ${this.#symbols.length}`);
    }
    if (typeof addend === "number" ? !Number.isSafeInteger(addend) : BigInt.asIntN(64, addend) !== addend) {
      throw new RangeError(`Cannot write the addend ${addend}: it is no signed number of 64 bits`);
    }
    this.#relocations.push({ offset, symbol, type, addend });
  }

  /**
   * The file. More can be added afterwards, and built again.
   *
   * @returns all of its bytes.
   */
  build(): Uint8Array {
    const sections = [...this.#sections];
    if (this.#relocations.length > 0) {
      const bytes = emitRelocations(this.#relocations);
      sections.push({
        name: new TextEncoder().encode(RELOC_NAME),
        type: SectionType.Reloc,
        flags: SectionFlag.Read,
        alignment: DEFAULT_ALIGNMENT[SectionType.Reloc],
        bytes,
        virtualSize: bytes.length,
      });
    }
    if (sections.length === 0) throw new TypeError("Cannot write the file: it has no sections");
    const compression = this.#options.compression ?? (this.#compressed ? Compression.Zstd : Compression.None);
    if (this.#compressed && compression === Compression.None) {
      throw new TypeError("Cannot write the file: it has compressed sections, but compression is None");
    }
    return emit({
      layout: this.#layout,
      options: this.#options,
      compression,
      exportedCount: this.#exports.size,
      sections,
      symbols: this.#symbols,
    });
  }

  /**
   * A builder that makes this file again. For files that a builder wrote the
   * bytes are the same; from others, everything that is read is kept, in this
   * package's own order, if the layout has a place for it.
   *
   * @throws {TypeError} if the layout cannot hold what must not be lost.
   */
  static from(file: ParsedSmf, options: RewriteOptions = {}): SmfBuilder {
    const { header } = file;
    const { layout = header.layout, compression = "keep" } = options;
    const { header: { fields }, symbolSize, symbolTypeBase, trailer } = LAYOUTS[layout];
    const stub = file.stub();
    const sections = file.sections.filter(({ type }) => type !== SectionType.Reloc);
    const keeps = compression === "keep" && header.compression === Compression.Zstd &&
      (layout === header.layout || sections.some(({ compressed }) => compressed));
    const packed = keeps || compression === "zstd";
    if (packed && fields.compression === undefined) {
      throw new TypeError(`Cannot compress sections: layout '${layout}' has no place for the method`);
    }
    const builder = new SmfBuilder({
      ...header,
      ...(fields.app_type === undefined && NO_HINTS),
      layout,
      flags: header.flags & ~HeaderFlag.HasStub,
      compression: packed ? Compression.Zstd : Compression.None,
      ...(trailer && stub.length > 0 && { stub }),
    });
    for (const section of sections) {
      const compress = compression === "zstd" && isLoaded(section.type) && section.size > 0;
      const change = compress || (compression === "none" && section.compressed);
      builder.section(
        change
          ? {
            ...section,
            flags: section.flags & ~SectionFlag.Compressed,
            compressed: false,
            bytes: file.contents(section),
            compress,
          }
          : { ...section, bytes: file.storedBytes(section) },
      );
    }
    for (const symbol of file.symbols) {
      const defined = file.isDefined(symbol.index);
      const local = symbol.binding === Binding.Local;
      const hidden = defined && !local && symbol.value === 0 && symbol.size === 0;
      builder.symbol({
        ...symbol,
        ...(symbolSize === 40 && NO_TEMPLATE),
        // Local symbols without a type are marks; nothing looks at what they are.
        ...(local && symbol.type < symbolTypeBase && { type: SymbolType.Data }),
        defined,
        visibility: hidden ? 1 : symbol.visibility,
      });
    }
    for (const relocation of file.relocations) builder.relocation(relocation);
    return builder;
  }
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  const all = new Uint8Array(length);
  all.set(bytes);
  return all;
}
