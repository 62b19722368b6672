// Garbage collection: sections that are reachable are kept, the others dropped.
import { assertEquals } from "@std/assert";
import { SectionFlag, SectionType, SymbolBinding, SymbolKind } from "../../src/os/elf.ts";
import {
  addFunction,
  addVariable,
  archive,
  CODE,
  DATA,
  ElfWriter,
  functionObject,
  link,
  linkFails,
  RODATA,
} from "../support/objects.ts";

/** Exported `main` uses `used`, which uses data `table`; `unused` uses `other`. All but main are local. */
function program(): ElfWriter {
  const writer = new ElfWriter();
  const local = (name: string, flags: number, bytes: number) => {
    const section = writer.section({ name, flags, bytes: new Uint8Array(bytes) });
    const symbol = writer.symbol({
      name: name.slice(1),
      section,
      binding: SymbolBinding.LOCAL,
      kind: SymbolKind.OBJECT,
    });
    return { section, symbol };
  };
  const main = addFunction(writer, "main", new Uint8Array(8));
  const used = local(".used", CODE, 8);
  const table = local(".table", RODATA, 8);
  const unused = local(".unused", CODE, 8);
  const other = local(".other", DATA, 8);
  writer.relocation(main, { offset: 0, symbol: used.symbol, type: 4, addend: -4 });
  writer.relocation(used.section, { offset: 0, symbol: table.symbol, type: 2, addend: -4 });
  writer.relocation(unused.section, { offset: 0, symbol: other.symbol, type: 2, addend: -4 });
  return writer;
}

function entries(linked: ReturnType<typeof link>): string[] {
  return linked.map.sections.flatMap(({ entries }) => entries.map(({ section }) => section)).toSorted();
}

Deno.test("unreachable sections are dropped, and listed in the map", () => {
  const linked = link(program().build());
  assertEquals(entries(linked), [".table", ".text.main", ".used"]);
  assertEquals(linked.map.dropped, [
    { object: "a.o", section: ".unused", size: 8, reason: "unreachable" },
    { object: "a.o", section: ".other", size: 8, reason: "unreachable" },
  ]);
});

Deno.test("keep keeps sections and symbols, by exact names and globs, with everything that they reach", () => {
  const all = [".other", ".table", ".text.main", ".unused", ".used"];
  assertEquals(entries(link(program().build(), { keep: [".unused"] })), all);
  assertEquals(entries(link(program().build(), { keep: [".un*"] })), all);
  assertEquals(entries(link(program().build(), { keep: ["*"] })), all);
  const global = program();
  addVariable(global, "spare", new Uint8Array(8));
  const kept = link(global.build(), { exports: ["main"], keep: ["spare"] });
  assertEquals(kept.exportNames(), ["main"]);
  assertEquals(entries(kept).includes(".data.spare"), true);
  const error = linkFails(program().build(), "UndefinedSymbol", "neither symbols nor sections", {
    keep: ["nowhere"],
  });
  assertEquals(error.data.symbols, ["nowhere"]);
  assertEquals(error.hint, "correct the names that the option `keep` (--keep) gives");
});

Deno.test("names to keep are pulled out of archives too", () => {
  const lib = archive([{ name: "f.o", bytes: functionObject("f", 1), symbols: ["f"] }]);
  const linked = link({ "a.o": program().build(), "lib.a": lib }, { keep: ["f"] });
  assertEquals(linked.map.members, [{ member: "lib.a(f.o)", symbol: "f" }]);
});

Deno.test("sections with SHF_GNU_RETAIN stay", () => {
  const writer = program();
  writer.section({ name: ".retained", flags: RODATA | SectionFlag.GNU_RETAIN, bytes: new Uint8Array(4) });
  assertEquals(entries(link(writer.build())).includes(".retained"), true);
});

Deno.test("the entry point is a root without being exported", () => {
  const writer = program();
  addFunction(writer, "start", new Uint8Array(4).fill(0xc3));
  const linked = link(writer.build(), { exports: [], entry: "start" });
  assertEquals(linked.exportNames(), []);
  assertEquals(entries(linked), [".text.start"]);
  assertEquals(linked.file.header.entryPoint, linked.at("start"));
  assertEquals(linked.file.header.flags & 1, 1);
  const entry = "nowhere";
  const error = linkFails(program().build(), "UndefinedSymbol", "undefined entry point 'nowhere'", { entry });
  assertEquals(error.data.symbols, ["nowhere"]);
  assertEquals(error.hint, "name a function that an input defines, or add the object that defines it");
});

Deno.test("sections named like C identifiers stay when their bounds are used, in one piece", () => {
  const part = (bytes: number[]) => {
    const writer = new ElfWriter();
    writer.section({ name: "my_hooks", flags: DATA, bytes: Uint8Array.from(bytes), alignment: 4 });
    return writer.build();
  };
  const user = new ElfWriter();
  const f = addFunction(user, "f", new Uint8Array(16));
  const data = addVariable(user, "bounds", new Uint8Array(16));
  user.relocation(data, { offset: 0, symbol: user.symbol({ name: "__start_my_hooks" }), type: 1 });
  user.relocation(data, { offset: 8, symbol: user.symbol({ name: "__stop_my_hooks" }), type: 1 });
  user.relocation(f, { offset: 0, symbol: user.symbol({ name: "__start_unknown" }), type: 2, addend: -4 });
  const linked = link({ "1.o": part([1, 2, 3, 4]), "u.o": user.build(), "2.o": part([5, 6, 7, 8]) });
  const { address, size } = linked.section("my_hooks");
  assertEquals(size, 8);
  assertEquals(linked.target(linked.at("bounds")), address);
  assertEquals(linked.target(linked.at("bounds") + 8), address + 8);
  assertEquals(linked.bytesAt(address, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
  assertEquals(
    linked.importNames(),
    ["__start_unknown"],
    "without such sections it is a name like any other",
  );
  const alone = link({ "1.o": part([1, 2, 3, 4]), "f.o": program().build() });
  assertEquals(entries(alone).includes("my_hooks"), false);
});

Deno.test("a section that describes another is kept or dropped with it", () => {
  const writer = program();
  const described = addFunction(writer, "described", new Uint8Array(4), SymbolBinding.WEAK);
  const flags = RODATA | SectionFlag.LINK_ORDER;
  writer.section({ name: ".notes", flags, bytes: new Uint8Array(4), link: described });
  assertEquals(entries(link(writer.build())).includes(".notes"), true);
  assertEquals(entries(link(writer.build(), { exports: ["main"] })).includes(".notes"), false);
});

Deno.test("relocations that patch nothing still keep their symbol", () => {
  const writer = program();
  const extra = writer.section({ name: ".extra", flags: RODATA, bytes: new Uint8Array(4) });
  const main = addFunction(writer, "second", new Uint8Array(4));
  writer.relocation(main, { offset: 0, symbol: writer.sectionSymbol(extra), type: 0 });
  const linked = link(writer.build());
  assertEquals(entries(linked).includes(".extra"), true);
});

Deno.test("initialisers and finalisers stay, by type and by name", () => {
  const writer = program();
  const bytes = new Uint8Array(8);
  writer.section({ name: ".init_array", type: SectionType.INIT_ARRAY, flags: DATA, bytes, alignment: 8 });
  writer.section({ name: ".dtors", flags: DATA, bytes, alignment: 8 });
  const linked = link(writer.build());
  assertEquals(
    linked.map.sections.map(({ name }) => name).filter((name) => name.includes("array")).toSorted(),
    [
      ".fini_array",
      ".init_array",
    ],
  );
});
