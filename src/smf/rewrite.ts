/**
 * Takes a file apart into the options that make a builder write it again.
 */

import { oneOf, type OptionTable } from "../errors/options.ts";
import type { RewriteOptions, SectionOptions, SmfBuilderOptions, SymbolOptions } from "./builder_options.ts";
import { Binding, Compression, HeaderFlag, SectionFlag, SectionType, SymbolType } from "./enums.ts";
import type { ParsedSmf } from "./file.ts";
import { type Layout, LAYOUTS } from "./layout.ts";
import { isLoaded } from "./offsets.ts";
import type { SmfSection } from "./section.ts";
import type { SmfSymbol } from "./symbol.ts";

/** The checks of {@linkcode RewriteOptions}. */
export const REWRITE_OPTIONS: OptionTable<RewriteOptions> = {
  layout: oneOf(...Object.keys(LAYOUTS)),
  compression: oneOf("keep", "zstd", "none"),
};

/** The header fields that H72 and H80 lack; all of them are hints. */
const NO_HINTS = {
  compressionLevel: 0,
  appType: 0,
  windowWidth: 0,
  windowHeight: 0,
  prefetchHint: 0,
  prefetchFileCount: 0,
};
/** The symbol fields that H72 and H80 lack. */
const NO_TEMPLATE = { templateParamCount: 0, templateOffset: 0 };

/**
 * Returns the header options.
 *
 * @throws {TypeError} if sections are to be compressed and the layout cannot name the method.
 */
export function headerOptionsOf(file: ParsedSmf, options: RewriteOptions): SmfBuilderOptions {
  const { header } = file;
  const { layout = header.layout, compression = "keep" } = options;
  const { header: { fields }, trailer } = LAYOUTS[layout];
  const stub = file.stub();
  const keepsCompression = compression === "keep" && header.compression === Compression.Zstd &&
    (layout === header.layout || contentSections(file).some(({ compressed }) => compressed));
  const packed = keepsCompression || compression === "zstd";
  if (packed && fields.compression === undefined) {
    throw new TypeError(`Cannot compress sections: layout '${layout}' has no field for the method`);
  }
  return {
    ...header,
    ...(fields.app_type === undefined && NO_HINTS),
    layout,
    flags: header.flags & ~HeaderFlag.HasStub,
    compression: packed ? Compression.Zstd : Compression.None,
    ...(trailer && stub.length > 0 && { stub }),
  };
}

/**
 * Returns the sections other than Reloc, which the builder makes from the relocations, and Signatures, which are of
 * the file as it was.
 */
export function contentSections(file: ParsedSmf): SmfSection[] {
  return file.sections.filter(({ type }) => type !== SectionType.Reloc && type !== SectionType.Signatures);
}

/** Returns the options of a section, with its bytes compressed or decompressed as `compression` says. */
export function sectionOptionsOf(
  file: ParsedSmf,
  section: SmfSection,
  { compression = "keep" }: RewriteOptions,
): SectionOptions {
  const compress = compression === "zstd" && isLoaded(section.type) && section.size > 0;
  const decompress = compression === "none" && section.compressed;
  if (!compress && !decompress) return { ...section, bytes: file.storedBytes(section) };
  return {
    ...section,
    flags: section.flags & ~SectionFlag.Compressed,
    compressed: false,
    bytes: file.contents(section),
    compress,
  };
}

/** Returns the options of a symbol for the layout to write. */
export function symbolOptionsOf(
  file: ParsedSmf,
  symbol: SmfSymbol,
  { symbolSize, symbolTypeBase }: Layout,
): SymbolOptions {
  const defined = file.isDefined(symbol.index);
  const local = symbol.binding === Binding.Local;
  // Without visibility the builder's file would have these as imports.
  const needsVisibility = defined && !local && symbol.value === 0 && symbol.size === 0;
  return {
    ...symbol,
    ...(symbolSize === 40 && NO_TEMPLATE),
    // Local symbols without a type are markers, whose type nothing reads.
    ...(local && symbol.type < symbolTypeBase && { type: SymbolType.Data }),
    defined,
    visibility: needsVisibility ? 1 : symbol.visibility,
  };
}
