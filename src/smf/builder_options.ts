/**
 * What a builder can be told. Only types.
 */

import type { LayoutName } from "./layout.ts";

/** What a `SmfBuilder` writes into the header. */
export interface SmfBuilderOptions {
  /** The layout. Default: `"H96"`. */
  readonly layout?: LayoutName;
  /** A `Platform`. Default: Linux. */
  readonly platform?: number;
  /** An `Arch`. Default: X86_64. */
  readonly arch?: number;
  /** `HeaderFlag` bits; `HasStub` is set by itself. Default: 0. */
  readonly flags?: number;
  /** Where execution starts, an offset in the image. Default: 0. */
  readonly entryPoint?: number;
  /** A hash of the source. Default: 0. */
  readonly sourceHash?: bigint;
  /** A `Compression` for sections that ask for it. Default: zstd when there are any, else none. */
  readonly compression?: number;
  /** Told to readers, of no meaning to them. Default: 0. */
  readonly compressionLevel?: number;
  /** What precedes the data, in layouts that end with their header: a script line or a program. */
  readonly stub?: Uint8Array;
  /** An `AppType`. Default: Cli. */
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
  /** A `SectionType`. */
  readonly type: number;
  /** `SectionFlag` bits. Default: what the type needs. */
  readonly flags?: number;
  /** A power of two. Default: 16 for what belongs into the image, else 1. */
  readonly alignment?: number;
  /** The contents; not copied before `build`. Default: none. */
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
  /** A `SymbolType`. */
  readonly type: number;
  /** A `Binding`. Default: Global. */
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
  /** What `symbol` returned. */
  readonly symbol: number;
  /** A `RelocationType`. */
  readonly type: number;
  /** A, in the formulas. Default: 0. */
  readonly addend?: bigint | number;
}

/** How `SmfBuilder.from` makes a file again. */
export interface RewriteOptions {
  /** The layout. Default: the file's. */
  readonly layout?: LayoutName;
  /**
   * Of the sections that go into memory: `zstd` compresses all of them, `none`
   * none. Default: `keep`, as they are.
   */
  readonly compression?: "keep" | "zstd" | "none";
}
