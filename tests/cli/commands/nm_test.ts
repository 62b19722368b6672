import { assertEquals } from "@std/assert";
import { Binding, RelocationType, SectionType, SmfBuilder, SymbolType } from "../../../src/smf/mod.ts";
import { TemporaryDirectory } from "../../support/testing.ts";
import { typedModule } from "../../support/type_graphs.ts";
import { smf } from "../../support/smf_command.ts";

/** A module with a symbol of each kind that nm distinguishes. */
function everyKind(): Uint8Array {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(16) });
  builder.section({ name: "漢字", type: SectionType.Data, bytes: new Uint8Array(16) });
  builder.section({ name: "rodata", type: SectionType.RoData, bytes: new Uint8Array(16) });
  builder.section({ name: "bss", type: SectionType.Bss, virtualSize: 16 });
  const { Function, Data, Constant, Type } = SymbolType;
  builder.symbol({ name: "run", type: Function, value: 4, size: 8 });
  builder.symbol({ name: "helper", type: Function, binding: Binding.Local, value: 0, size: 4 });
  builder.symbol({ name: "constant", type: Constant, value: 4096, size: 8 });
  builder.symbol({ name: "variable", type: Data, value: 8192, size: 8 });
  builder.symbol({ name: "own\nvariable", type: Data, binding: Binding.Local, value: 8200, size: 8 });
  builder.symbol({ name: "zeroed", type: Data, value: 12288, size: 16 });
  builder.symbol({ name: "maybe", type: Function, binding: Binding.Weak, value: 8, size: 8 });
  builder.symbol({ name: "wanted", type: Function, binding: Binding.Weak, defined: false });
  const needed = builder.symbol({ name: "needed", type: Function, defined: false });
  builder.symbol({ name: "Point", type: Type });
  builder.relocation({ offset: 8192, symbol: needed, type: RelocationType.Abs64 });
  return builder.build();
}

Deno.test("nm shows every kind of symbol by its letter, sorted by name", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", everyKind());
  assertEquals(await smf("nm", path), {
    code: 0,
    out: [
      "0000000000000000  N  Point",
      "0000000000001000  R  constant",
      "0000000000000000  t  helper",
      "0000000000000008  W  maybe",
      "                  U  needed",
      "0000000000002008  d  own\\u000avariable",
      "0000000000000004  T  run",
      "0000000000002000  D  variable",
      "                  w  wanted",
      "0000000000003000  B  zeroed",
    ],
    err: [],
  });
});

Deno.test("nm's options filter, sort and add columns", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", everyKind());
  const names = async (...options: string[]) =>
    (await smf("nm", path, ...options)).out.map((line) => line.trim().split("  ").at(-1));
  assertEquals(await names("-u"), ["needed", "wanted"]);
  assertEquals((await names("--defined-only", "-g")).join(" "), "Point constant maybe run variable zeroed");
  assertEquals((await names("-p")).slice(0, 3), ["run", "helper", "constant"]);
  assertEquals((await names("-n", "--defined-only")).at(-1), "zeroed");
  assertEquals((await smf("nm", "-S", path)).out[1], "0000000000001000  0000000000000008  R  constant");
  assertEquals((await smf("nm", "-u", "--defined-only", path)).code, 2);
});

Deno.test("nm --json prints every field", async () => {
  using folder = new TemporaryDirectory();
  const { out } = await smf("nm", "--json", folder.file("a.smf", everyKind()));
  const { version, command, symbols } = JSON.parse(out.join("\n"));
  assertEquals([version, command, symbols.length], [1, "nm", 10]);
  assertEquals(symbols.find(({ name }: { name: string }) => name === "variable"), {
    name: "variable",
    letter: "D",
    defined: true,
    section: "漢字",
    value: 8192,
    size: 8,
    type: "Data",
    binding: "Global",
  });
});

Deno.test("nm shows the declarations of a module that keeps its types", async () => {
  using folder = new TemporaryDirectory();
  const path = folder.file("a.smf", typedModule());
  const { out } = await smf("nm", path);
  assertEquals(out.map((line) => line.slice(18)), [
    "T  add      long add(long a, long b)",
    "D  counter  int counter",
    "T  log      int log(const char *format, ...)",
    "D  origin   struct Point origin",
  ]);
  const { symbols } = JSON.parse((await smf("nm", path, "--json")).out[0]);
  assertEquals(symbols[0].declaration, "long add(long a, long b)");
});

Deno.test("nm --homes shows where the home of each variable starts", async () => {
  const { code, out } = await smf("nm", "--homes", "fixtures/c/strings.smf");
  assertEquals(code, 0);
  const row = (name: string): string | undefined => out.find((line) => line.endsWith(`  ${name}`));
  assertEquals(row("zeroed"), "0000000000003020  0000000000003000  B  zeroed");
  assertEquals(row("counter"), "0000000000002000  0000000000002000  D  counter");
  assertEquals(row("greeting"), `0000000000001020  ${" ".repeat(16)}  R  greeting`);
  const { symbols } = JSON.parse((await smf("nm", "--json", "fixtures/c/strings.smf")).out[0]);
  const homeOf = (name: string) =>
    symbols.find((symbol: { name: string }) => symbol.name.startsWith(name)).home;
  assertEquals([homeOf("count.0"), homeOf("weekday")], [0x3000, undefined]);
});
