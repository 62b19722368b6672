// Why sections are in a module: the chains of references that garbage collection followed.
import { assertEquals } from "@std/assert";
import { linkObjects } from "../../src/link/linker.ts";
import { liveReasons } from "../../src/link/map.ts";
import { SymbolBinding, SymbolKind } from "../../src/os/elf.ts";
import { addFunction, CODE, DATA, ElfWriter, link, RODATA } from "../support/objects.ts";

/** `main` uses `used` by name, which uses `.table` by its section; `cycle` uses itself; `.boot` starts with the module. */
function program(): Uint8Array {
  const writer = new ElfWriter();
  const main = addFunction(writer, "main", new Uint8Array(8));
  const local = (name: string, flags: number) => {
    const section = writer.section({ name: `.${name}`, flags, bytes: new Uint8Array(8) });
    const kind = SymbolKind.OBJECT, binding = SymbolBinding.LOCAL;
    return { section, symbol: writer.symbol({ name, section, binding, kind }) };
  };
  const used = local("used", CODE), table = local("table", RODATA), cycle = local("cycle", DATA);
  const binding = SymbolBinding.LOCAL, kind = SymbolKind.SECTION;
  const tableSection = writer.symbol({ name: "", section: table.section, binding, kind });
  writer.relocation(main, { offset: 0, symbol: used.symbol, type: 4, addend: -4 });
  writer.relocation(used.section, { offset: 0, symbol: tableSection, type: 2, addend: -4 });
  writer.relocation(used.section, { offset: 4, symbol: used.symbol, type: 4, addend: -4 });
  writer.relocation(cycle.section, { offset: 0, symbol: cycle.symbol, type: 1, addend: 0 });
  return writer.build();
}

Deno.test("the chain of references leads from a section to the export that keeps it", () => {
  const { map } = link(program(), { whyLive: [".table"] });
  assertEquals(map.live, [{
    object: "a.o",
    section: ".table",
    chain: [
      { object: "a.o", section: ".table", symbol: ".table" },
      { object: "a.o", section: ".used", symbol: "used" },
      { object: "a.o", section: ".text.main", symbol: "main" },
    ],
    reason: "exported",
  }]);
  assertEquals(liveReasons(map), [
    ".table of a.o stays",
    "  .used of a.o refers to .table",
    "  .text.main of a.o refers to used",
    "  main is exported",
  ]);
});

Deno.test("names of symbols and globs find sections, too, and what is left out says so", () => {
  const { map } = link(program(), { whyLive: ["used", "cyc*"] });
  assertEquals(map.live.map(({ section, reason, chain }) => [section, reason, chain.length]), [
    [".used", "exported", 2],
    [".cycle", "unreachable", 0],
  ]);
  assertEquals(liveReasons(map).at(-1), ".cycle of a.o is left out: nothing reaches it");
});

Deno.test("options and the entry point are reasons", () => {
  const reasonOf = (options: Parameters<typeof link>[1], name: string) =>
    link(program(), { ...options, whyLive: [name] }).map.live.map(({ reason }) => reason);
  assertEquals(reasonOf({ keep: [".cycle"] }, ".cycle"), ["option"]);
  assertEquals(reasonOf({ keep: ["ma*", ".cyc*"] }, ".cycle"), ["option"]);
  assertEquals(reasonOf({ exports: [], entry: "main" }, ".table"), ["entry point"]);
});

Deno.test("without the option the map says nothing, and the module is the same", () => {
  const bytes = program(), input = { name: "a.o", bytes };
  assertEquals(link(bytes).map.live, []);
  assertEquals(linkObjects([input]).bytes, linkObjects([input], { whyLive: ["*"] }).bytes);
});
