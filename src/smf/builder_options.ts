/**
 * The types of a builder's options.
 */

import type { LayoutName } from "./layout.ts";

/** The header fields that `SmfBuilder` writes. */
export interface SmfBuilderOptions {
  /** The layout. Default: `"H96"`. */
  readonly layout?: LayoutName;
  /** A `Platform`. Default: Linux. */
  readonly platform?: number;
  /** An `Arch`. Default: X86_64. */
  readonly arch?: number;
  /**
   * The level of processors that the code needs. For X86_64: 1 is x86-64-v2, 2 x86-64-v3, 3 x86-64-v4; for Aarch64:
   * 1 is armv8.1-a, 2 armv8.2-a, 3 armv8.3-a. Default: 0, every processor.
   */
  readonly cpu?: number;
  /** `HeaderFlag` bits; a stub sets `HasStub`. Default: 0. */
  readonly flags?: number;
  /** The image offset where execution starts. Default: 0. */
  readonly entryPoint?: number;
  /** A hash of the source. Default: 0. */
  readonly sourceHash?: bigint;
  /** The `Compression` of sections that request it. Default: zstd if there are any, else none. */
  readonly compression?: number;
  /** Stored in the header; readers ignore it. Default: 0. */
  readonly compressionLevel?: number;
  /** A script line or a program in front of the data, in layouts with the header at the end. Default: none. */
  readonly stub?: Uint8Array;
  /** An `AppType`. Default: Cli. */
  readonly appType?: number;
  /** Window width in pixels, a hint. Default: 0. */
  readonly windowWidth?: number;
  /** Window height in pixels, a hint. Default: 0. */
  readonly windowHeight?: number;
  /** A hint for prefetching. Default: 0. */
  readonly prefetchHint?: number;
  /** The number of files to prefetch, a hint. Default: 0. */
  readonly prefetchFileCount?: number;
}

/** A section to write. */
export interface SectionOptions {
  /** At most 16 bytes of UTF-8. */
  readonly name: string;
  /** A `SectionType`. */
  readonly type: number;
  /** `SectionFlag` bits. Default: those that the type needs. */
  readonly flags?: number;
  /** A power of two. Default: 16 for sections of the image, else 1. */
  readonly alignment?: number;
  /** The contents, copied only by `build`. Default: none. */
  readonly bytes?: Uint8Array;
  /** Size in memory in bytes, at least the size in the file. Default: the length of `bytes`. */
  readonly virtualSize?: number;
  /** Whether to compress `bytes`. Default: false. */
  readonly compress?: boolean;
  /** Whether `bytes` are compressed already; `virtualSize` is then their decompressed size. Default: false. */
  readonly compressed?: boolean;
}

/** A symbol to write. */
export interface SymbolOptions {
  /** At most 1 MiB of UTF-8. */
  readonly name: string;
  /** A `SymbolType`. */
  readonly type: number;
  /** A `Binding`. Default: Global. */
  readonly binding?: number;
  /** An offset in the image. Default: 0. */
  readonly value?: number;
  /** Size in bytes. Default: 0. */
  readonly size?: number;
  /** Not 0 marks a definition. Default: 1 if defined, else 0. */
  readonly visibility?: number;
  /** Layout phase, template and pinning bits. Default: 0. */
  readonly flags?: number;
  /** Your own number for the symbol's type. Default: 0. */
  readonly typeId?: number;
  /** Your own version of the symbol. Default: 0. */
  readonly version?: number;
  /** The number of template parameters, in layouts with 56-byte symbols. Default: 0. */
  readonly templateParamCount?: number;
  /** The offset in the TemplateCode section, in layouts with 56-byte symbols. Default: 0. */
  readonly templateOffset?: number;
  /** Whether this file defines the symbol; `false` makes it an import. Default: true. */
  readonly defined?: boolean;
}

/** A relocation to write. */
export interface RelocationOptions {
  /** The place to patch, an offset in the image. */
  readonly offset: number;
  /** The index of its symbol, from `SmfBuilder.symbol`. */
  readonly symbol: number;
  /** A `RelocationType`. */
  readonly type: number;
  /** The addend, A in the formulas. Default: 0. */
  readonly addend?: bigint | number;
}

/** How `SmfBuilder.from` changes a file. */
export interface RewriteOptions {
  /** The layout to write. Default: the file's. */
  readonly layout?: LayoutName;
  /**
   * Compression of the sections of the image: `zstd` compresses all, `none`
   * decompresses all, `keep` leaves them as they are. Default: `keep`.
   */
  readonly compression?: "keep" | "zstd" | "none";
}
