/**
 * The seeds of mutants: the modules in fixtures/, good and bad, and some that
 * contain a little of everything, in every layout.
 */
import { fromFileUrl } from "@std/path";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { Arch, Binding, HeaderFlag, RelocationType, SectionType, SymbolType } from "../../src/smf/enums.ts";
import { type LayoutName, LAYOUTS } from "../../src/smf/layout.ts";
import { hostBuilder, sampler } from "../support/testing.ts";
import { HAS_ZSTD } from "../support/deno_version.ts";

/** A file from which mutants are made. */
export interface Seed {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const FIXTURES = fromFileUrl(new URL("../../fixtures", import.meta.url));

/** The files in a folder of fixtures/ whose names match `end`, sorted by name. */
export function fixtures(folder: string, end: RegExp): Seed[] {
  return [...Deno.readDirSync(`${FIXTURES}/${folder}`)]
    .filter(({ name }) => end.test(name))
    .map(({ name }) => ({ name, bytes: Deno.readFileSync(`${FIXTURES}/${folder}/${name}`) }))
    .sort((a, b) => a.name < b.name ? -1 : 1);
}

const fill = (length: number, from: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => from + i * 7);

/** The relocation types of x86-64 in {@linkcode dense}, in order of their places; the last four are of imports. */
const TYPES = [1, 2, 3, 4, 5, 32, 33, 1, 2, 3, 4];

/**
 * A file of exactly 4096 bytes, of which nearly every byte has a meaning:
 * sections of all types, symbols of all types and bindings, all relocations of
 * x86-64 on defined and undefined names.
 */
export function dense(layout: LayoutName = "H96", flags = 0): Uint8Array {
  const build = (padding: number, tail = ""): Uint8Array => {
    const builder = new SmfBuilder({
      layout,
      arch: Arch.X86_64,
      platform: 0,
      flags: HeaderFlag.Executable | flags,
      entryPoint: 4,
    });
    builder.section({ name: "code", type: SectionType.Code, bytes: fill(256, 0x90) });
    builder.section({ name: ".text.cold", type: SectionType.Code, bytes: fill(40, 3), virtualSize: 48 });
    builder.section({ name: ".rodata", type: SectionType.RoData, bytes: fill(200, 1), alignment: 32 });
    builder.section({ name: ".data", type: SectionType.Data, bytes: fill(120, 5), virtualSize: 160 });
    builder.section({ name: ".data.rel", type: SectionType.Data, bytes: fill(64, 11), alignment: 8 });
    builder.section({ name: ".bss", type: SectionType.Bss, virtualSize: 96 });
    builder.section({ name: "note", type: SectionType.Debug, bytes: fill(padding, 13) });
    // P128 has no type None: its numbers begin with Function.
    const untyped = layout === "P128" ? SymbolType.Constant : SymbolType.None;
    const symbols = [
      builder.symbol({ name: "first", type: SymbolType.Function, size: 16 }),
      builder.symbol({ name: "second", type: SymbolType.Function, value: 256, size: 48 }),
      builder.symbol({ name: "constant", type: SymbolType.Constant, value: 4096, size: 200 }),
      builder.symbol({ name: "variable", type: SymbolType.Data, value: 8192, size: 120 }),
      builder.symbol({ name: "zeroed", type: SymbolType.Data, value: 12288, size: 96 }),
      builder.symbol({ name: "local", type: SymbolType.Function, value: 8, binding: Binding.Local }),
      builder.symbol({ name: "weak", type: SymbolType.Data, value: 8200, binding: Binding.Weak }),
      builder.symbol({ name: "Type", type: SymbolType.Type, value: 99999 }),
      builder.symbol({ name: `end${tail}`, type: untyped, value: 4296 }),
    ];
    const called = builder.symbol({ name: "called", type: SymbolType.Function, defined: false });
    const used = builder.symbol({ name: "used", type: SymbolType.Data, defined: false });
    const maybe = builder.symbol({
      name: "perhaps",
      type: untyped,
      defined: false,
      binding: Binding.Weak,
    });
    const imports = [used, called, called, maybe];
    TYPES.forEach((type, i) => {
      // Addresses do not fit into 4 bytes, so these two types are replaced by none.
      const none = type === RelocationType.Abs32 || type === RelocationType.Abs32Signed;
      const symbol = i < 7 ? symbols[i % symbols.length] : imports[i - 7];
      const addend = type === 3 ? -4n : BigInt(i * 3);
      builder.relocation({ offset: 8 * i, symbol, type: none ? 0 : type, addend });
    });
    symbols.forEach((symbol, i) => {
      if (i === 7) return;
      builder.relocation({ offset: 8192 + 8 * i, symbol, type: 1, addend: BigInt(i) });
    });
    builder.relocation({ offset: 12296, symbol: used, type: 1 });
    builder.relocation({ offset: 4096, symbol: called, type: 32 });
    return builder.build();
  };
  let padding = 4096 - build(0).length;
  while (build(padding).length > 4096) padding--; // the parts behind the padding are aligned
  // A longer name fills the rest: names are not aligned.
  const bytes = build(padding, "_".repeat(4096 - build(padding).length));
  if (bytes.length !== 4096) throw new Error(`the dense file has ${bytes.length} bytes`);
  return bytes;
}

const LAYOUT_NAMES = Object.keys(LAYOUTS) as LayoutName[];

/** Every seed for the loader. */
export function moduleSeeds(): Seed[] {
  const stub = new TextEncoder().encode("#!/usr/bin/env simple\n");
  const stubbed = (["H96-trailer", "P128"] as const).map((layout) => {
    const builder = hostBuilder({ layout, stub });
    builder.section({ name: "code", type: SectionType.Code, bytes: fill(64, 0x90) });
    const symbol = builder.symbol({ name: "f", type: SymbolType.Function, size: 8 });
    builder.relocation({ offset: 16, symbol, type: RelocationType.Abs64, addend: 5 });
    return { name: `stubbed ${layout}`, bytes: builder.build() };
  });
  return [
    ...LAYOUT_NAMES.map((layout) => ({ name: `dense ${layout}`, bytes: dense(layout) })),
    { name: "dense, fixed", bytes: dense("H96", HeaderFlag.FixedLayout) },
    ...LAYOUT_NAMES.map((layout) => ({ name: `sampler ${layout}`, bytes: sampler({ layout }).bytes })),
    ...(HAS_ZSTD ? ["H96", "P128"] as const : []).map((layout) => ({
      name: `packed ${layout}`,
      bytes: sampler({ layout, compress: true }).bytes,
    })),
    ...stubbed,
    ...["", "c", "types", "threads", "platform", "malformed"].flatMap((folder) =>
      fixtures(folder, /\.sm[fe]$/)
    ),
  ];
}
