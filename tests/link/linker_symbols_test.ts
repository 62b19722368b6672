// Linker-defined symbols.
import { assertEquals } from "@std/assert";
import { linkerSymbolOf } from "../../src/link/linker_symbols.ts";
import { SectionType as ElfSectionType } from "../../src/os/elf.ts";
import { addFunction, addVariable, DATA, ElfWriter, link, type Linked } from "../support/objects.ts";

const PC32 = 2;

/**
 * Links one reference to each name; returns the targets of those that are not imports.
 */
function targets(names: readonly string[], fill: (writer: ElfWriter) => void = () => {}): [Linked, number[]] {
  const writer = new ElfWriter();
  const f = addFunction(writer, "f", new Uint8Array(8 * names.length));
  names.forEach((name, index) => {
    writer.relocation(f, { offset: 8 * index, symbol: writer.symbol({ name }), type: PC32 });
  });
  fill(writer);
  const linked = link(writer.build());
  const imports = new Set(linked.importNames());
  return [
    linked,
    names.flatMap((name, index) => imports.has(name) ? [] : [linked.settled(8 * index)]),
  ];
}

function variables(writer: ElfWriter): void {
  addVariable(writer, "value", new Uint8Array(24));
  const bss = writer.section({
    name: ".bss.zero",
    type: ElfSectionType.NOBITS,
    flags: DATA,
    size: 40,
    alignment: 8,
  });
  writer.symbol({ name: "zero", section: bss, size: 40 });
}

Deno.test("the ends of code, of variables with values and of those without", () => {
  const names = ["_edata", "edata", "__bss_start", "_end", "end"];
  const [linked, found] = targets(names, variables);
  const [data, bss] = [linked.section(".data"), linked.section(".bss")];
  assertEquals(found, [
    data.address + 24,
    data.address + 24,
    bss.address,
    bss.address + 40,
    bss.address + 40,
  ]);
  assertEquals(linked.importNames(), []);
});

Deno.test("linker symbols of sections that the inputs lack are defined too", () => {
  const [linked, [data, start, end, got, dynamic]] = targets([
    "_edata",
    "__bss_start",
    "_end",
    "_GLOBAL_OFFSET_TABLE_",
    "_DYNAMIC",
  ]);
  assertEquals([data, start, end], [
    linked.section(".data").address,
    linked.section(".bss").address,
    linked.section(".bss").address,
  ]);
  assertEquals([got, dynamic], [linked.section(".got").address, linked.section(".dynamic").address]);
  assertEquals(linked.bytesAt(dynamic, 16), new Array(16).fill(0));
});

Deno.test("arrays that no input has are empty", () => {
  const [linked, [start, end]] = targets(["__init_array_start", "__init_array_end"]);
  assertEquals([start, end], [linked.section(".init_array").address, linked.section(".init_array").address]);
});

Deno.test("bounds of sections that no input has are imports, and so are names that are called", () => {
  const [linked] = targets(["__start_nothing", "__stop_nothing"]);
  assertEquals(linked.importNames(), ["__start_nothing", "__stop_nothing"]);
  assertEquals([linkerSymbolOf("end", true), linkerSymbolOf("printf", false)], [undefined, undefined]);
});

Deno.test("a definition in an input takes precedence", () => {
  const [linked, [end]] = targets(["end"], (writer) => void addVariable(writer, "end", new Uint8Array(8)));
  assertEquals(end, linked.at("end"));
});

Deno.test("the start of code, and an ELF header that lists nothing", () => {
  const writer = new ElfWriter();
  const code = addFunction(writer, "f", new Uint8Array(16).fill(0x90));
  const names = ["__executable_start", "__ehdr_start"].map((name) => writer.symbol({ name }));
  names.forEach((symbol, i) => writer.relocation(code, { offset: 8 * i, symbol, type: 24 }));
  const linked = link(writer.build());
  const leadsTo = (at: number): number => at + Number(linked.int64(at));
  const from = linked.at("f");
  assertEquals(leadsTo(from), linked.section(".text").address);
  const header = leadsTo(from + 8);
  assertEquals(linked.bytesAt(header, 5), [0x7f, 0x45, 0x4c, 0x46, 2]);
  assertEquals(linked.bytesAt(header + 54, 10), Array(10).fill(0), "no program headers, no sections");
});
