/**
 * Checks the options of a builder and completes them with their defaults, so that
 * a mistake is an error at the call that makes it.
 */

import type {
  RelocationOptions,
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
import { type Layout, LAYOUTS, SECTION_NAME_SIZE } from "./layout.ts";
import { MAX_ALIGNMENT, MAX_EXPANSION, MAX_IMAGE_SIZE, MAX_NAME_LENGTH } from "./limits.ts";
import type { StoredSection } from "./write_file.ts";
import { checkEnum, checkName, checkUnsigned } from "./write_record.ts";

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
};

/** Checks the options of the header; returns the layout. */
export function checkHeaderOptions(options: SmfBuilderOptions): Layout {
  const { layout: name = "H96", stub, flags = 0, compression = Compression.None } = options;
  if (!Object.hasOwn(LAYOUTS, name)) {
    throw new TypeError(`Cannot write layout '${name}': it does not exist`);
  }
  const layout = LAYOUTS[name];
  if (stub !== undefined && !layout.trailer) {
    throw new TypeError(
      `Cannot write a stub in layout '${name}': its header is at the start of the file`,
    );
  }
  checkEnum("the platform", options.platform ?? Platform.Any, Platform);
  checkEnum("the processor", options.arch ?? Arch.X86_64, Arch);
  if (compression !== Compression.None && compression !== Compression.Zstd) {
    throw new RangeError(`Cannot compress with method ${compression}: only zstd (1) is supported`);
  }
  checkUnsigned("the level of the processor", options.cpu ?? 0, 8);
  checkUnsigned("the flags", flags, 8);
  if ((flags & HeaderFlag.HasStub) !== 0 && stub === undefined) {
    throw new TypeError("Cannot set HasStub: there is no stub");
  }
  checkUnsigned("the entry point", options.entryPoint ?? 0, 53);
  return layout;
}

/** Checks and completes the options of a section, and compresses its bytes if they ask for it. */
export function completeSection(options: SectionOptions): StoredSection {
  const { type, bytes: plain = new Uint8Array(0), virtualSize = plain.length } = options;
  const refuse = (reason: string, error: typeof RangeError = RangeError) =>
    new error(`Cannot write section '${options.name}': ${reason}`);
  checkName(options.name);
  const name = new TextEncoder().encode(options.name);
  if (name.length > SECTION_NAME_SIZE) throw refuse(`its name has more than ${SECTION_NAME_SIZE} bytes`);
  checkUnsigned("the section's type", type, 8);

  const alignment = options.alignment ?? DEFAULT_ALIGNMENT[type] ?? 1;
  if (!Number.isInteger(Math.log2(alignment)) || alignment > MAX_ALIGNMENT) {
    throw refuse(`its alignment ${alignment} is not a power of two up to ${MAX_ALIGNMENT}`);
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
    throw refuse("only the options compress and compressed set the flag Compressed", TypeError);
  }
  const writable = (flags & SectionFlag.Write) !== 0;
  if (writable && ((flags & SectionFlag.Exec) !== 0 || type === SectionType.Code)) {
    throw refuse("it is both writable and executable", TypeError);
  }

  // A compressed section is compressed as a whole, including the zeros at its end.
  const bytes = options.compress ? compressZstd(padded(plain, virtualSize)) : plain;
  if (options.compress && virtualSize > MAX_EXPANSION * bytes.length + ALWAYS_COMPRESSED) {
    // Readers refuse files that expand by too much.
    return { name, type, flags: flags & ~SectionFlag.Compressed, alignment, bytes: plain, virtualSize };
  }
  return { name, type, flags, alignment, bytes, virtualSize };
}

/** So many bytes of a section may be compressed at any ratio. */
const ALWAYS_COMPRESSED = 16_384;

function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  const all = new Uint8Array(length);
  all.set(bytes);
  return all;
}

/** Checks and completes the options of a symbol. */
export function completeSymbol(options: SymbolOptions, layout: Layout): Required<SymbolOptions> {
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
  if (type < layout.symbolTypeBase) {
    throw new TypeError(`Cannot write symbol '${name}': layout '${layout.name}' has no type None`);
  }
  checkUnsigned("the symbol's value", value, 53);
  checkUnsigned("the symbol's size", size, 53);
  checkUnsigned("the symbol's visibility", visibility, 8);
  checkUnsigned("the symbol's flags", symbol.flags, 8);
  if (!defined && (binding === Binding.Local || visibility !== 0 || value !== 0 || size !== 0)) {
    throw new TypeError(
      `Cannot import '${name}': an import is not local and has no value, size or visibility`,
    );
  }
  if (defined && binding !== Binding.Local && visibility === 0 && value === 0 && size === 0) {
    throw new TypeError(
      `Cannot define '${name}': a symbol without visibility, value and size is an import`,
    );
  }
  return symbol;
}

/** Checks and completes the options of a relocation in a file with `symbolCount` symbols. */
export function completeRelocation(
  options: RelocationOptions,
  symbolCount: number,
): Required<RelocationOptions> {
  const { offset, symbol, type, addend = 0 } = options;
  checkUnsigned("the relocation's offset", offset, 53);
  checkUnsigned("the relocation's type", type, 8);
  if (!(Number.isInteger(symbol) && symbol >= 0 && symbol < symbolCount)) {
    throw new RangeError(`Cannot relocate against symbol ${symbol}: the file has ${symbolCount} symbols`);
  }
  if (typeof addend === "number" ? !Number.isSafeInteger(addend) : BigInt.asIntN(64, addend) !== addend) {
    throw new RangeError(`Cannot write the addend ${addend}: it is not a signed 64-bit number`);
  }
  return { offset, symbol, type, addend };
}
