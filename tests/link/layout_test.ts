// The layout: sections, their order, alignment and addresses.
import { assert, assertEquals } from "@std/assert";
import { SectionType, SymbolBinding, SymbolKind } from "../../src/os/elf.ts";
import { SectionType as SmfSectionType } from "../../src/smf/enums.ts";
import {
  addFunction,
  addVariable,
  CODE,
  DATA,
  ElfWriter,
  link,
  linkFails,
  RODATA,
} from "../support/objects.ts";

Deno.test("sections become code, read-only data, data and zeroed data, in this order", () => {
  const writer = new ElfWriter();
  const add = (name: string, flags: number, size = 16, type?: number) => {
    const bytes = type === SectionType.NOBITS ? undefined : new Uint8Array(size);
    const section = writer.section({ name, flags, alignment: 16, ...(bytes ? { bytes } : { size, type }) });
    writer.symbol({ name: `in${name}`, section });
  };
  add(".bss.x", DATA, 32, SectionType.NOBITS);
  add(".data.x", DATA);
  add(".data.rel.ro.local", DATA);
  add(".rodata.x", RODATA);
  add(".text.x", CODE);
  const linked = link(writer.build());
  assertEquals(linked.map.sections.map(({ name, kind, size }) => [name, kind, size]), [
    [".text", "code", 16],
    [".data.rel.ro", "rodata", 16],
    [".rodata", "rodata", 16],
    [".data", "data", 16],
    [".bss", "bss", 32],
  ]);
  assertEquals(linked.at("in.text.x"), 0);
  assertEquals(linked.at("in.data.x") % 4096, 0);
  assertEquals(linked.file.sections.map(({ type }) => type), [
    SmfSectionType.Code,
    SmfSectionType.RoData,
    SmfSectionType.RoData,
    SmfSectionType.Data,
    SmfSectionType.Bss,
  ]);
});

Deno.test("debug information and notes are left out", () => {
  const writer = new ElfWriter();
  addFunction(writer, "f", new Uint8Array(4));
  writer.section({ name: ".debug_info", flags: 0, bytes: new Uint8Array(100) });
  writer.section({
    name: ".note.gnu.property",
    type: SectionType.NOTE,
    flags: RODATA,
    bytes: new Uint8Array(32),
  });
  const linked = link(writer.build());
  assertEquals(linked.map.sections.map(({ name }) => name), [".text"]);
});

Deno.test("every alignment is kept, and gaps in code trap", () => {
  const one = new ElfWriter();
  addFunction(one, "f", Uint8Array.of(0xc3));
  const two = new ElfWriter();
  const section = two.section({ name: ".text.g", flags: CODE, bytes: Uint8Array.of(0x90), alignment: 256 });
  two.symbol({ name: "g", section, kind: SymbolKind.FUNC });
  const page = two.section({ name: ".data.p", flags: DATA, bytes: new Uint8Array(8), alignment: 65536 });
  two.symbol({ name: "p", section: page });
  const linked = link({ "1.o": one.build(), "2.o": two.build() });
  assertEquals(linked.at("g"), 256);
  assertEquals(linked.bytesAt(0, 4), [0xc3, 0xcc, 0xcc, 0xcc]);
  assertEquals(linked.at("p") % 65536, 0);
});

Deno.test("cold code lies behind warm code", () => {
  const writer = new ElfWriter();
  const names = [".text.unlikely", ".text", ".text.hot", ".text.startup", ".text.exit"];
  for (const name of names) {
    const section = writer.section({ name, flags: CODE, bytes: new Uint8Array(16) });
    writer.symbol({ name: `in${name}`, section });
  }
  const order = link(writer.build()).map.sections[0].entries.map(({ section }) => section);
  assertEquals(order, [".text.hot", ".text", ".text.startup", ".text.exit", ".text.unlikely"]);
});

Deno.test("a symbol at the end of a page belongs to its own section", () => {
  const writer = new ElfWriter();
  const rodata = writer.section({ name: ".rodata", flags: RODATA, bytes: new Uint8Array(4096) });
  writer.symbol({ name: "end", section: rodata, value: 4096 });
  addVariable(writer, "data", new Uint8Array(8));
  const linked = link(writer.build());
  assert(linked.at("end") < linked.at("data"));
  assertEquals(linked.at("end"), linked.section(".rodata").address + 4096);
});

Deno.test("an empty section that is referred to has an address", () => {
  const writer = new ElfWriter();
  const empty = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(0) });
  writer.symbol({ name: "nothing", section: empty });
  assertEquals(link(writer.build()).section(".data").size, 1);
});

/** Adds a section of initialisers or finalisers, one for each function name. */
function startup(
  writer: ElfWriter,
  name: string,
  functions: string[],
  type: number = SectionType.PROGBITS,
): void {
  const bytes = new Uint8Array(8 * functions.length);
  const section = writer.section({ name, type, flags: DATA, bytes, alignment: 8 });
  functions.forEach((one, i) => {
    const code = writer.section({ name: `.text.${one}`, flags: CODE, bytes: Uint8Array.of(0xc3) });
    const symbol = writer.symbol({ name: one, section: code, kind: SymbolKind.FUNC });
    writer.relocation(section, { offset: 8 * i, symbol, type: 1 });
  });
}

/** Returns the functions that the words of an array refer to, in order. */
function arrayOf(linked: ReturnType<typeof link>, name: string): string[] {
  const { address, size } = linked.section(name);
  const names = new Map([...linked.file.symbols].map(({ name, value }) => [value, name]));
  return Array.from({ length: size / 8 }, (_, i) => names.get(linked.target(address + 8 * i))!);
}

Deno.test("initialisers are sorted by priority, then by link order", () => {
  const one = new ElfWriter();
  addFunction(one, "f", Uint8Array.of(0xc3));
  startup(one, ".init_array", ["last1", "last2"], SectionType.INIT_ARRAY);
  startup(one, ".init_array.00200", ["p200"], SectionType.INIT_ARRAY);
  startup(one, ".preinit_array", ["pre"], SectionType.PREINIT_ARRAY);
  const two = new ElfWriter();
  startup(two, ".init_array", ["last3"], SectionType.INIT_ARRAY);
  startup(two, ".init_array.101", ["p101"], SectionType.INIT_ARRAY);
  startup(two, ".init_array.65535", ["p65535"], SectionType.INIT_ARRAY);
  const linked = link({ "1.o": one.build(), "2.o": two.build() });
  assertEquals(arrayOf(linked, ".preinit_array"), ["pre"]);
  assertEquals(arrayOf(linked, ".init_array"), ["p101", "p200", "p65535", "last1", "last2", "last3"]);
});

Deno.test("an initialiser that is also exported is entered directly, as the module's own code", () => {
  const writer = new ElfWriter();
  addFunction(writer, "start", Uint8Array.of(0xc3));
  const array = writer.section({
    name: ".init_array",
    type: SectionType.INIT_ARRAY,
    flags: DATA,
    bytes: new Uint8Array(8),
  });
  // The same symbol, by name.
  const other = new ElfWriter();
  const bytes = new Uint8Array(8);
  const section = other.section({
    name: ".init_array",
    type: SectionType.INIT_ARRAY,
    flags: DATA,
    bytes,
    alignment: 8,
  });
  other.relocation(section, { offset: 0, symbol: other.symbol({ name: "start" }), type: 1 });
  const weak = writer.symbol({ name: "import", binding: SymbolBinding.WEAK });
  writer.relocation(array, { offset: 0, symbol: weak, type: 1 });
  const linked = link({ "1.o": writer.build(), "2.o": other.build() });
  const { address } = linked.section(".init_array");
  const entries = linked.relocations().filter(({ offset }) => offset >= address);
  assertEquals(entries.map(({ symbol }) => symbol), ["import", ".text"]);
});

Deno.test("old constructors are reversed, because they ran from the end of their section", () => {
  const writer = new ElfWriter();
  addFunction(writer, "f", Uint8Array.of(0xc3));
  startup(writer, ".ctors", ["second", "first"]);
  startup(writer, ".ctors.65335", ["p200"]);
  startup(writer, ".dtors", ["fini2", "fini1"]);
  const linked = link(writer.build());
  assertEquals(arrayOf(linked, ".init_array"), ["p200", "first", "second"]);
  // Finalisers run from the end of their array, so .dtors, which ran from its start, is reversed too.
  assertEquals(arrayOf(linked, ".fini_array"), ["fini1", "fini2"]);
});

Deno.test("fragments of _init and _fini become functions that run first and last", () => {
  const writer = new ElfWriter();
  for (const name of [".init", ".fini"]) {
    const section = writer.section({
      name,
      flags: CODE,
      bytes: Uint8Array.of(0xe8, 0, 0, 0, 0),
      alignment: 4,
    });
    writer.relocation(section, {
      offset: 1,
      symbol: writer.symbol({ name: `setup${name}` }),
      type: 4,
      addend: -4,
    });
  }
  addFunction(writer, "f", Uint8Array.of(0xc3));
  startup(writer, ".init_array", ["init"], SectionType.INIT_ARRAY);
  startup(writer, ".fini_array", ["fini"], SectionType.FINI_ARRAY);
  const linked = link(writer.build());
  assertEquals(arrayOf(linked, ".init_array"), [".init", "init"]);
  assertEquals(arrayOf(linked, ".fini_array"), [".fini", "fini"]);
  const { address, size } = linked.section(".init");
  const code = linked.bytesAt(address, 8 + 5 + 5);
  assertEquals(code.slice(4, 8), [0x48, 0x83, 0xec, 0x08], "the stack is aligned for the fragments' calls");
  assertEquals(code[8], 0xe8);
  assertEquals(code.slice(13), [0x48, 0x83, 0xc4, 0x08, 0xc3]);
  assert(size >= 18);
});

Deno.test("start files of C compilers are refused, because they would make two prologues", () => {
  const writer = new ElfWriter();
  const section = writer.section({ name: ".init", flags: CODE, bytes: Uint8Array.of(0x48, 0x83, 0xec, 8) });
  writer.symbol({ name: "_init", section });
  const error = linkFails(writer.build(), "Unsupported", "defines _init or _fini");
  assertEquals(error.hint, "leave crti.o and crtn.o out");
});

Deno.test("images and gaps that are too large are refused before memory is allocated", () => {
  const bss = (size: number, alignment = 1) => {
    const writer = new ElfWriter();
    const section = writer.section({ name: ".bss", flags: DATA, size, alignment });
    writer.symbol({ name: "b", section });
    return writer.build();
  };
  linkFails(bss(2 ** 30), "Unsupported", "bytes of memory");
  linkFails(bss(2 ** 52), "Unsupported", "bytes of memory");
  linkFails(bss(1, 2 ** 25), "Unsupported", "alignment is too large");
  const gaps = new ElfWriter();
  for (let i = 0; i < 20; i++) {
    const section = gaps.section({ name: `.data.${i}`, flags: DATA, bytes: Uint8Array.of(1) });
    gaps.symbol({ name: `d${i}`, section });
  }
  // Set in the finished object, whose sections need not be aligned in the file.
  const bytes = gaps.build();
  const view = new DataView(bytes.buffer);
  const table = Number(view.getBigUint64(40, true));
  for (let i = 1; i <= 20; i++) view.setBigUint64(table + 64 * i + 48, 2n ** 24n, true);
  linkFails(bytes, "Unsupported", "gaps");
});

Deno.test("one name for code here and data there is refused", () => {
  for (const both of [[CODE, DATA], [DATA, CODE]]) {
    const writer = new ElfWriter();
    for (const flags of both) writer.section({ name: "mixed", flags, bytes: Uint8Array.of(1) });
    const error = linkFails(writer.build(), "Unsupported", "code here and data there", { keep: ["mixed"] });
    assertEquals(error.hint, "give code and data sections different names");
  }
});

Deno.test("a module has room for 65,534 sections beside that of relocations, and no more", () => {
  const object = (first: number, count: number): Uint8Array => {
    const writer = new ElfWriter();
    for (let i = first; i < first + count; i++) {
      writer.section({ name: `s${i}`, flags: DATA, bytes: Uint8Array.of(1) });
    }
    return writer.build();
  };
  const inputs = { "a.o": object(0, 32_768), "b.o": object(32_768, 32_767) };
  linkFails(inputs, "Unsupported", "too many sections", { keep: ["s*"] });
});

Deno.test("long section names are cut at a character, for the file only", () => {
  const writer = new ElfWriter();
  writer.section({ name: "a_very_long_section_name", flags: DATA, bytes: Uint8Array.of(1) });
  const linked = link(writer.build(), { keep: ["a_very*"] });
  assertEquals(linked.file.sections[0].name, "a_very_long_sect");
  assertEquals(linked.map.sections[0].name, "a_very_long_section_name");
});
