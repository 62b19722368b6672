/**
 * The list of bad inputs, as far as they are a file's bytes: the file, and the
 * error to expect.
 */
import type { ImportResolver } from "../../src/load/imports/resolve.ts";
import type { LoadErrorData, LoadErrorKind } from "../../src/errors/load_error.ts";
import { Arch, HeaderFlag, Platform, RelocationType, SymbolType } from "../../src/smf/enums.ts";
import { HOST_ARCH, HOST_PLATFORM } from "../../src/load/runtime/host.ts";
import {
  ALIGNMENT,
  broken,
  built,
  CODE,
  compressed,
  DATA,
  FLAGS,
  OFFSET,
  padded,
  PARSED,
  RELOC,
  RELOCATION,
  sample,
  SECOND,
  SECTION_TABLE,
  SIZE,
  STRINGS,
  SYMBOLS,
  text,
  TYPE,
  VIRTUAL_SIZE,
  WHOLE,
  withDuplicateExports,
} from "./bad_files.ts";
import { addModule, importerModule, patched } from "./testing.ts";
import { HAS_ZSTD } from "./deno_version.ts";

/** A bad input. */
export interface BadInput {
  /** The row of the list. */
  readonly row: number;
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly kind: LoadErrorKind;
  /** Facts that the error must contain. */
  readonly data: LoadErrorData;
  readonly resolver?: ImportResolver;
}

const TWO_53 = 2n ** 53n;
const INVALID = "InvalidFormat";
const FAILED = "RelocationFailed";

/** Files that are damaged, which only decompressing shows. */
const NOT_DECOMPRESSED: readonly (readonly [what: string, bytes: Uint8Array, data: LoadErrorData])[] = [
  ["decompresses to more than its virtual size", compressed([DATA + VIRTUAL_SIZE, 8, 4999]), {
    section: "packed",
  }],
  ["decompresses to less than its virtual size", compressed([DATA + VIRTUAL_SIZE, 8, 5001]), {
    section: "packed",
    value: 5000,
    range: [5001, 5002],
  }],
  ["a zip bomb", compressed([DATA + VIRTUAL_SIZE, 8, 1]), { section: "packed" }],
  ["not a whole zstd frame", compressed([DATA + SIZE, 8, 3]), { section: "packed" }],
  ["no compressed bytes", compressed([DATA + SIZE, 8, 0]), { section: "packed" }],
];

const rows: (readonly [
  row: number,
  what: string,
  bytes: Uint8Array,
  kind: LoadErrorKind,
  data?: LoadErrorData,
  resolver?: ImportResolver,
])[] = [
  [1, "an empty file", new Uint8Array(0), INVALID, { offset: 0 }],
  [1, "one byte", text("S"), INVALID],
  [1, "the magic alone", text("SMF\0"), INVALID, { value: 4 }],
  [1, "a header without its last byte", WHOLE.subarray(0, 71), INVALID, { value: 71 }],
  [2, "text", padded(text("#!/bin/sh\nexit 1\n"), 300), INVALID, { offset: 0 }],
  [2, "zeros", new Uint8Array(300), INVALID, { value: "00 00 00 00" }],
  [2, "an ELF file", padded(text("\x7fELF"), 300), INVALID],
  [2, "a library archive", padded(text("LSMF"), 300), "Unsupported"],
  [2, "a settlement", padded(text("SSMF"), 300), "Unsupported"],
  [2, "a package", patched(new Uint8Array(300), [296, 4, 0x314b5053]), "Unsupported"],
  [3, "an unknown version", broken([4, 1, 7]), "Unsupported", { offset: 4 }],
  [3, "the old writer's header", broken([16, 8, 64], [12, 4, 1]), "Unsupported", { offset: 16 }],
  [3, "no sections", broken([16, 4, 0]), INVALID],
  [3, "a section table inside the header", broken([24, 8, 40]), INVALID],
  [
    4,
    "another platform",
    sample({ platform: HOST_PLATFORM === Platform.Linux ? Platform.Windows : Platform.Linux }),
    "IncompatiblePlatform",
  ],
  [4, "platform None", sample({ platform: Platform.None }), "IncompatiblePlatform", { value: 5 }],
  [
    4,
    "another processor",
    sample({ arch: HOST_ARCH === Arch.X86_64 ? Arch.Aarch64 : Arch.X86_64 }),
    "IncompatibleArch",
  ],
  [4, "WebAssembly", sample({ arch: Arch.Wasm32 }), "IncompatibleArch", { value: 6 }],
  [4, "an unknown platform", broken([6, 1, 9]), INVALID, { offset: 6, value: 9 }],
  [4, "an unknown processor", broken([7, 1, 8]), INVALID, { offset: 7, value: 8 }],
  ...[
    ["the section table's offset", 24],
    ["the symbol table's offset", 32],
    ["the entry point", 48],
    ["a section's offset", CODE + OFFSET],
    ["a section's size", CODE + SIZE],
    ["a section's virtual size", CODE + VIRTUAL_SIZE],
    ["a section's alignment", CODE + ALIGNMENT],
    ["a symbol's value", SYMBOLS + 16],
    ["a symbol's size", SYMBOLS + 24],
    ["a relocation's offset", RELOCATION],
  ].flatMap(([what, at]) =>
    [TWO_53, 2n ** 63n, 2n ** 64n - 1n].map((value) =>
      [5, `${what} is ${value}`, broken([at as number, 8, value]), INVALID] as const
    )
  ),
  [6, "a section table past the end", broken([24, 8, WHOLE.length - 1]), INVALID],
  [6, "a symbol table past the end", broken([32, 8, WHOLE.length + 1]), INVALID],
  [6, "a section table whose end overflows", broken([24, 8, TWO_53 - 1n]), INVALID],
  [6, "a symbol table whose end overflows", broken([32, 8, TWO_53 - 1n], [40, 4, 0xffffffff]), INVALID],
  [6, "more symbols than there is room for", broken([40, 4, 1000]), INVALID],
  [7, "tables at the same offset", broken([32, 8, SECTION_TABLE]), INVALID],
  [7, "tables that share a byte", broken([32, 8, SECTION_TABLE + 3 * 56 - 1], [40, 4, 1]), INVALID],
  [7, "a section in the header", broken([CODE + OFFSET, 8, 0]), INVALID, { section: "code" }],
  [7, "a section in the section table", broken([CODE + OFFSET, 8, SECTION_TABLE]), INVALID, {
    section: "code",
  }],
  [7, "a section in the symbol table", broken([CODE + OFFSET, 8, SYMBOLS]), INVALID, { section: "code" }],
  [8, "2³² − 1 sections", broken([16, 4, 0xffffffff]), INVALID],
  [8, "2³² − 1 symbols", broken([40, 4, 0xffffffff]), INVALID],
  [9, "data past the end", broken([DATA + OFFSET, 8, WHOLE.length - 7]), INVALID, { section: "data" }],
  [9, "data far past the end", broken([DATA + OFFSET, 8, 2n ** 50n]), INVALID, { section: "data" }],
  [9, "a size past the end", broken([DATA + SIZE, 8, 2n ** 40n]), INVALID, { section: "data" }],
  [10, "more bytes in the file than in memory", broken([CODE + VIRTUAL_SIZE, 8, 15]), INVALID, {
    section: "code",
    value: 16,
    range: [0, 16],
  }],
  [11, "2⁴⁰ bytes in memory", broken([DATA + VIRTUAL_SIZE, 8, 2n ** 40n]), INVALID, { section: "data" }],
  [
    11,
    "a total over the limit",
    broken([CODE + VIRTUAL_SIZE, 8, 2n ** 30n], [DATA + VIRTUAL_SIZE, 8, 2n ** 30n]),
    INVALID,
  ],
  [12, "alignment 3", broken([DATA + ALIGNMENT, 8, 3]), INVALID, { section: "data", value: 3 }],
  [12, "alignment 2³¹", broken([DATA + ALIGNMENT, 8, 2n ** 31n]), INVALID, {
    section: "data",
    value: 2 ** 31,
  }],
  [13, "code that is writable", broken([CODE + FLAGS, 4, 7]), INVALID, { section: "code", value: 7 }],
  [13, "data that is executable", broken([DATA + FLAGS, 4, 7]), INVALID, { section: "data", value: 7 }],
  [13, "code that is writable only", broken([CODE + FLAGS, 4, 2]), INVALID, { section: "code", value: 2 }],
  [15, "compressed without a method", compressed([12, 1, 0]), "Unsupported", { section: "packed" }],
  [15, "compressed with lz4", compressed([12, 1, 2]), "Unsupported", { section: "packed" }],
  [15, "compressed with an unknown method", compressed([12, 1, 3]), "Unsupported", { section: "packed" }],
  ...NOT_DECOMPRESSED.map(([what, bytes, data]) =>
    HAS_ZSTD
      ? [15, what, bytes, INVALID, data] as const
      : [15, `${what} (without zstd)`, bytes, "Unsupported"] as const
  ),
  [16, "no names", broken().subarray(0, STRINGS), INVALID, { offset: SYMBOLS }],
  [16, "no final NUL", broken().subarray(0, WHOLE.length - 1), INVALID],
  [17, "a name outside", broken([SYMBOLS, 4, WHOLE.length - STRINGS]), INVALID, { offset: SYMBOLS }],
  [17, "a name far outside", broken([SYMBOLS, 4, 0xffffffff]), INVALID, {
    offset: SYMBOLS,
    value: 0xffffffff,
  }],
  [18, "a name that is not UTF-8", broken([STRINGS + 1, 1, 0xff]), INVALID],
  [19, "a wrong hash", broken([SYMBOLS + 4, 4, 1]), INVALID, {
    offset: SYMBOLS + 4,
    value: 1,
    symbol: "seven",
  }],
  [20, "a symbol outside", built([{ value: 5000, size: 1 }]), INVALID, { symbol: "s0", value: 5000 }],
  [20, "a symbol across the end", built([{ value: 4096, size: 17 }]), INVALID, { symbol: "s0", value: 4096 }],
  [20, "value + size that overflow", built([{ value: 8, size: 2 ** 53 - 1 }]), INVALID, {
    symbol: "s0",
    value: 8,
  }],
  [21, "a function in data", built([{ type: SymbolType.Function, value: 4096 }]), INVALID, {
    symbol: "s0",
    value: 4096,
  }],
  [21, "a function where code ends", built([{ type: SymbolType.Function, value: 16 }]), INVALID, {
    symbol: "s0",
  }],
  [22, "two exports with the same name", withDuplicateExports(), INVALID, { symbol: "first" }],
  [23, "an entry point where code ends", sample({ flags: HeaderFlag.Executable, entryPoint: 16 }), INVALID, {
    value: 16,
  }],
  [23, "an entry point in data", sample({ flags: HeaderFlag.Executable, entryPoint: 4096 }), INVALID, {
    value: 4096,
  }],
  ...[9, 16, 4090, 4105, 2 ** 40].map((offset) =>
    [
      25,
      `Abs64 at ${offset}`,
      built([{}, {}].slice(1).map(() => ({ value: 4096, size: 8 })), [{
        offset,
        type: RelocationType.Abs64,
      }]),
      FAILED,
      { symbol: "s0", offset, section: ".reloc" },
    ] as const
  ),
  [26, "the symbol after the last", broken([RELOCATION + 8, 4, 2]), INVALID, {
    section: ".reloc",
    value: 2,
    range: [0, 2],
  }],
  [26, "symbol 2³² − 1", broken([RELOCATION + 8, 4, 0xffffffff]), INVALID, { value: 0xffffffff }],
  [26, "an incomplete relocation", broken([RELOC + SIZE, 8, 23]), INVALID, { section: ".reloc" }],
  ...[11, 31, 64, 255].map((type) =>
    [27, `type ${type}`, broken([RELOCATION + 12, 1, type]), FAILED, { value: type, offset: 4096 }] as const
  ),
  [
    28,
    "a distance that does not fit",
    built([{ value: 4096, size: 8 }], [{
      offset: 0,
      type: RelocationType.Pc32,
      addend: 2n ** 31n,
    }]),
    FAILED,
    { symbol: "s0", offset: 0, range: [-(2n ** 31n), 2n ** 31n] },
  ],
  [
    28,
    "a call that does not reach",
    built([{ value: 4096, size: 8 }], [{
      offset: 0,
      type: RelocationType.Plt32,
      addend: -(2n ** 32n),
    }]),
    FAILED,
    { symbol: "s0", offset: 0, range: [-(2n ** 31n), 2n ** 31n] },
  ],
  [
    29,
    "two relocations of the same place",
    built([{ value: 4096, size: 8 }], [
      { offset: 0, type: RelocationType.Abs64 },
      { offset: 0, type: RelocationType.Abs64 },
    ]),
    FAILED,
    { symbol: "s0", offset: 0 },
  ],
  [
    29,
    "two relocations that share a byte",
    built([{ value: 4096, size: 8 }], [
      { offset: 7, type: RelocationType.Abs64 },
      { offset: 0, type: RelocationType.Abs64 },
    ]),
    FAILED,
    { symbol: "s0", offset: 7 },
  ],
  [30, "an undefined import", importerModule(["a"]), "UndefinedSymbol", { symbols: ["a"] }],
  [
    30,
    "several undefined imports",
    importerModule(["a", "b", "__proto__", "c"]),
    "UndefinedSymbol",
    { symbols: ["a", "__proto__", "c"] },
    (name) => name === "b" ? 1n : null,
  ],
  [43, "a hash that is wrong", patched(WHOLE, [64, 1, WHOLE[64] ^ 1]), INVALID, { offset: 64 }],
  [43, "a truncated file", WHOLE.subarray(0, WHOLE.length - 2), INVALID, { value: WHOLE.length - 2 }],
  [43, "changed code", patched(WHOLE, [PARSED.sections[0].offset, 1, 0xff]), INVALID, { offset: 64 }],
];

/** Every bad input. */
export const BAD_INPUTS: readonly BadInput[] = rows.map(([row, what, bytes, kind, data = {}, resolver]) => ({
  row,
  what,
  bytes,
  kind,
  data,
  ...(resolver && { resolver }),
}));

/** Files that look bad and are valid. */
export const ODD_INPUTS: readonly {
  readonly row: number;
  readonly what: string;
  readonly bytes: Uint8Array;
}[] = [
  { row: 12, what: "alignment 0 means 1", bytes: broken([DATA + ALIGNMENT, 8, 0]) },
  {
    row: 14,
    what: "an unknown section type is skipped",
    bytes: broken([DATA + TYPE, 1, 200], [RELOC + TYPE, 1, 201], [SECOND + 8, 1, 3]),
  },
  { row: 8, what: "a count of exports that is wrong", bytes: broken([44, 4, 0xffffffff]) },
  { row: 3, what: "version 0.1, as real files have it", bytes: broken([4, 1, 0]) },
];

/** A good module, which tests load before each bad one. */
export const GOOD: Uint8Array = addModule();
