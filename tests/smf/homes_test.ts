// The section that lists the homes of a module's variables.
import { assertEquals } from "@std/assert";
import { Binding, Compression, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { HAS_ZSTD } from "../support/deno_version.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { type Home, homeAt, homesBytes } from "../../src/smf/homes.ts";
import type { LayoutName } from "../../src/smf/layout.ts";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { assertLoadError, hostBuilder } from "../support/testing.ts";

/** A file with 64 bytes of data at 4096 and 32 zeros at 8192; the symbols are at these offsets. */
const SYMBOLS: readonly (readonly [type: number, binding: number, value: number])[] = [
  [SymbolType.Data, Binding.Local, 4096],
  [SymbolType.None, Binding.Local, 4112],
  [SymbolType.Data, Binding.Local, 4152],
  [SymbolType.None, Binding.Local, 8192],
  [SymbolType.Data, Binding.Global, 4096],
  [SymbolType.Function, Binding.Local, 0],
  [SymbolType.Data, Binding.Local, 8],
];

function fileWith(...sections: Uint8Array[]): SmfBuilder {
  const builder = hostBuilder({ compression: Compression.Zstd });
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(64) });
  builder.section({ name: "bss", type: SectionType.Bss, virtualSize: 32 });
  for (const bytes of sections) builder.section({ name: ".homes", type: SectionType.Homes, bytes });
  SYMBOLS.forEach(([type, binding, value], index) =>
    builder.symbol({ name: `s${index}`, type, binding, value })
  );
  return builder;
}

function read(...sections: Uint8Array[]): Home[] {
  return parseSmf(fileWith(...sections).build()).homes();
}

const home = (symbol: number, size: number, alignment = 1) => ({ symbol, size, alignment });

const GOOD = homesBytes([home(0, 16, 32), home(1, 40, 16), home(2, 8, 8), home(3, 32, 4096)]);
const READ = [
  { symbol: 0, offset: 4096, size: 16, alignment: 32 },
  { symbol: 1, offset: 4112, size: 40, alignment: 16 },
  { symbol: 2, offset: 4152, size: 8, alignment: 8 },
  { symbol: 3, offset: 8192, size: 32, alignment: 4096 },
];

Deno.test("homes are read with the places of their symbols", () => {
  assertEquals(read(), []);
  assertEquals(read(new Uint8Array(0)), []);
  assertEquals(read(GOOD), READ);
});

Deno.test("the home of a byte is found", () => {
  const homes = read(GOOD);
  for (const [offset, index] of [[4096, 0], [4111, 0], [4112, 1], [4159, 2], [8192, 3], [8223, 3]]) {
    assertEquals(homeAt(homes, offset), homes[index]);
  }
  for (const offset of [0, 4095, 4160, 8191, 8224]) assertEquals(homeAt(homes, offset), undefined);
  assertEquals(homeAt([], 0), undefined);
});

Deno.test("homes survive a rewrite in every layout", () => {
  const file = parseSmf(fileWith(GOOD).build());
  for (const layout of ["H72", "H80", "H96", "P128"] satisfies LayoutName[]) {
    for (const compression of HAS_ZSTD ? ["none", "zstd"] as const : ["none"] as const) {
      if (compression === "zstd" && (layout === "H72" || layout === "H80")) continue;
      const written = SmfBuilder.from(file, { layout, compression }).build();
      assertEquals(parseSmf(written).homes(), READ, layout);
    }
  }
});

Deno.test("anything else is refused", () => {
  const cases: readonly (readonly [record: number, bytes: Uint8Array, ...more: Uint8Array[]])[] = [
    [0, GOOD, GOOD],
    [0, GOOD.subarray(1)],
    [0, homesBytes(new Array(8).fill(home(0, 1)))],
    [0, homesBytes([home(7, 1)])],
    [0, homesBytes([home(4, 1)])],
    [0, homesBytes([home(5, 1)])],
    [0, homesBytes([home(6, 1)])],
    [0, homesBytes([home(0, 0)])],
    [0, homesBytes([home(0, 1, 0)])],
    [0, homesBytes([home(0, 1, 3)])],
    [0, homesBytes([home(0, 1, 2 ** 25)])],
    [0, homesBytes([home(0, 1, 2 ** 31)])],
    [0, homesBytes([home(0, 1, 8192)])],
    [0, homesBytes([home(0, 65)])],
    [0, homesBytes([home(0, 2 ** 32 - 1)])],
    [0, homesBytes([home(3, 33)])],
    [1, homesBytes([home(0, 17), home(1, 1)])],
    [1, homesBytes([home(1, 1), home(0, 1)])],
    [1, homesBytes([home(0, 1), home(0, 1)])],
  ];
  for (const [record, ...sections] of cases) {
    const built = fileWith(...sections).build();
    const { offset } = parseSmf(built).sections.find(({ type }) => type === SectionType.Homes)!;
    const data = { section: ".homes", offset: offset + record * 12 };
    assertLoadError(() => parseSmf(built).homes(), "InvalidFormat", data);
  }
});
