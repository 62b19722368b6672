// Whole links: the same inputs make the same bytes; the effect of every option.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { SymbolBinding, SymbolKind } from "../../src/os/elf.ts";
import { formatMap } from "../../src/link/map.ts";
import { HeaderFlag, Platform } from "../../src/smf/enums.ts";
import { xxh32 } from "../../src/smf/hash.ts";
import {
  addFunction,
  addVariable,
  archive,
  CODE,
  ElfWriter,
  functionObject,
  link,
  linkFails,
} from "../support/objects.ts";

function inputs(): Record<string, Uint8Array> {
  return {
    "main.o": functionObject("main", 1, ["a", "import"]),
    "lib.a": archive([
      { name: "a.o", bytes: functionObject("a", 2, ["b"]), symbols: ["a"] },
      { name: "b.o", bytes: functionObject("b", 3), symbols: ["b"] },
    ]),
  };
}

Deno.test("the same inputs make the same bytes", () => {
  const first = link(inputs()).module;
  const second = link(inputs()).module;
  assertEquals(first.bytes, second.bytes);
  assertEquals(formatMap(first.map), formatMap(second.map));
});

Deno.test("where the inputs lie in memory does not matter", () => {
  const shifted = Object.fromEntries(
    Object.entries(inputs()).map(([name, bytes]) => {
      const larger = new Uint8Array(bytes.length + 3);
      larger.set(bytes, 3);
      return [name, larger.subarray(3)];
    }),
  );
  assertEquals(link(shifted).module.bytes, link(inputs()).module.bytes);
});

Deno.test("the source hash is XXH32 over lengths and contents, with two seeds", () => {
  const { sourceHash } = link(inputs()).file.header;
  const pieces = Object.values(inputs()).flatMap((bytes) => [
    ...new Uint8Array(BigUint64Array.of(BigInt(bytes.length)).buffer),
    ...bytes,
  ]);
  const [high, low] = [0, 1].map((seed) => BigInt(xxh32(new Uint8Array(pieces), seed)));
  assertEquals(sourceHash, high << 32n | low);
  const other = { ...inputs(), "main.o": functionObject("main", 7, ["a", "import"]) };
  assertNotEquals(link(other).file.header.sourceHash, sourceHash);
});

Deno.test("the options set the flags, platform and layout of the header", () => {
  const plain = link(functionObject("f", 1)).file.header;
  assertEquals([plain.flags, plain.platform, plain.layout], [HeaderFlag.Pic, Platform.Linux, "H96"]);
  const { header } = link(functionObject("f", 1), {
    entry: "f",
    reloadable: true,
    platform: Platform.Any,
    layout: "H72",
  }).file;
  assertEquals(header.flags, HeaderFlag.Pic | HeaderFlag.Executable | HeaderFlag.Reloadable);
  assertEquals([header.platform, header.layout], [Platform.Any, "H72"]);
});

Deno.test("names, sizes and types are kept, of local symbols too unless stripped", () => {
  const writer = new ElfWriter();
  const text = addFunction(writer, "shown", new Uint8Array(32));
  writer.symbol({
    name: "inner",
    section: text,
    value: 16,
    size: 8,
    kind: SymbolKind.FUNC,
    binding: SymbolBinding.LOCAL,
  });
  writer.symbol({ name: ".Llabel", section: text, value: 20, binding: SymbolBinding.LOCAL });
  addVariable(writer, "state", new Uint8Array(24));
  const rows = (linked: ReturnType<typeof link>) =>
    [...linked.file.symbols].map(({ name, type, binding, size }) => [name, type, binding, size]);
  const all = link(writer.build());
  assertEquals(rows(all), [["state", 2, 1, 24], ["shown", 1, 1, 32], ["inner", 1, 0, 8]]);
  assertEquals(all.at("inner"), all.at("shown") + 16);
  assertEquals(rows(link(writer.build(), { strip: true })), [["state", 2, 1, 24], ["shown", 1, 1, 32]]);
});

Deno.test("exports stand first, in ascending order of their names' hashes; the map keeps the inputs' order", () => {
  const writer = new ElfWriter();
  const names = Array.from({ length: 200 }, (_, i) => `f${i}`);
  const sections = names.map((name) => addFunction(writer, name, new Uint8Array(8).fill(0xc3)));
  const outside = writer.symbol({ name: "import", section: 0, binding: SymbolBinding.GLOBAL });
  writer.relocation(sections[0], { offset: 0, symbol: outside, type: 1, addend: 0 });
  const table = addVariable(writer, "table", new Uint8Array(8 * 200));
  sections.forEach((section, i) => {
    writer.relocation(table, { offset: 8 * i, symbol: writer.sectionSymbol(section), type: 1, addend: 0 });
  });
  for (const layout of ["H96", "H72"] as const) {
    const { file, module } = link(writer.build(), { exports: ["f*", "table"], layout });
    const symbols = [...file.symbols];
    const exports = symbols.slice(0, 201);
    assertEquals(exports.map(({ name }) => name).toSorted(), ["table", ...names].toSorted());
    assertEquals(exports.toSorted((a, b) => a.nameHash - b.nameHash), exports);
    assert(symbols.slice(201).every(({ index }) => !file.symbols.isExport(index)));
    assertEquals(file.imports(), ["import"]);
    assertEquals(module.map.exports.map(({ name }) => name).slice(0, 3), ["table", "f0", "f1"]);
    for (const { name, address } of module.map.exports) {
      assertEquals(file.symbols.findExport(name)?.value, address);
    }
  }
});

Deno.test("a label in code without a type is a function, and a size that passes the section becomes 0", () => {
  const writer = new ElfWriter();
  const section = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(16) });
  writer.symbol({ name: "label", section, value: 4, size: 400 });
  const { symbols } = link(writer.build()).file;
  assertEquals([symbols.find("label")?.type, symbols.find("label")?.size], [1, 0]);
});

Deno.test("with exports given, everything else is local", () => {
  const writer = new ElfWriter();
  addFunction(writer, "api_one", new Uint8Array(4));
  addFunction(writer, "api_two", new Uint8Array(4));
  const helper = addFunction(writer, "helper", new Uint8Array(4));
  const three = addFunction(writer, "api_three", new Uint8Array(8));
  writer.relocation(three, { offset: 0, symbol: writer.sectionSymbol(helper), type: 2, addend: -4 });
  const linked = link(writer.build(), { exports: ["api_t*"] });
  assertEquals(linked.exportNames(), ["api_two", "api_three"]);
  assertEquals(linked.file.symbols.find("helper")?.binding, SymbolBinding.LOCAL);
  assertEquals(linked.file.symbols.find("api_one"), undefined);
  assertEquals(linked.file.header.exportedCount, 2);
});

Deno.test("the map lists sections, exports, imports, members and dropped sections", () => {
  const writer = new ElfWriter();
  addFunction(writer, "spare", new Uint8Array(4));
  const { map } = link({ ...inputs(), "spare.o": writer.build() }, { exports: ["main"] });
  const text = formatMap(map);
  for (
    const line of [
      "00000000 00000021 code   .text",
      "  00000000 0000000b .text.main main.o",
      "  00000000 0000000b function main",
      "  import needed by main.o",
      "  lib.a(a.o) for a, main.o",
      "  lib.a(b.o) for b, lib.a(a.o)",
      "  00000004 .text.spare spare.o (unreachable)",
      "  2 settled, 1 left to the loader",
    ]
  ) {
    assert(text.includes(`${line}\n`), `'${line}' is not in\n${text}`);
  }
});

Deno.test("a module of 20,000 functions that call each other links correctly", () => {
  const writer = new ElfWriter();
  const count = 20_000;
  const section = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(16 * count) });
  const symbols = Array.from(
    { length: count },
    (_, i) =>
      writer.symbol({ name: `function_${i}`, section, value: 16 * i, size: 16, kind: SymbolKind.FUNC }),
  );
  symbols.forEach((_, i) => {
    writer.relocation(section, { offset: 16 * i, symbol: symbols[(i * 7919) % count], type: 4, addend: -4 });
  });
  const linked = link(writer.build());
  assertEquals(linked.map.relocations, { applied: count, kept: 0 });
  for (let i = 0; i < count; i += 97) {
    assertEquals(linked.at(`function_${i}`), 16 * i);
    assertEquals(16 * i + linked.int32(16 * i) + 4, 16 * ((i * 7919) % count));
  }
});

Deno.test("code that loaders would take for another file format is refused by the linker", () => {
  for (const [start, what] of [["\x7fELF", "a whole ELF file"], ["BCOD", "bytecode"]]) {
    const writer = new ElfWriter();
    addFunction(writer, "f", new TextEncoder().encode(start + "\xc3"));
    const error = linkFails(
      writer.build(),
      "Unsupported",
      `Cannot link module: loaders take its code for ${what}`,
    );
    assert(error.hint.startsWith("link another object first"), error.hint);
    assertEquals(error.data.section, ".text");
  }
});
