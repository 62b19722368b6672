// Linking COFF objects: weak names, pointers to imports, import libraries, requests of objects, and
// distances from the start of the image.
import { assert, assertEquals } from "@std/assert";
import { linkObjects, parseSmf } from "../../../mod.ts";
import { Platform } from "../../../src/smf/enums.ts";
import { addCoffFunction, CoffWriter, Rel, Scn, shortImport } from "../../support/coff_writer.ts";
import { archive, ascii, functionObject, link, linkFails } from "../../support/objects.ts";

Deno.test("a weak external gives way to a definition, and stands for another name without one", () => {
  const weak = () => {
    const writer = new CoffWriter();
    addCoffFunction(writer, "fallback", 7);
    const caller = writer.section({ name: ".text", flags: Scn.CODE, bytes: Uint8Array.of(0xe8, 0, 0, 0, 0) });
    writer.symbol({ name: "caller", section: caller, type: 0x20 });
    // The fallback is a name of another object.
    writer.relocation(caller, 1, writer.weak("f", writer.symbol({ name: "elsewhere" })), Rel.REL32);
    return writer.build();
  };
  const defines = (name: string, value: number) => {
    const writer = new CoffWriter();
    addCoffFunction(writer, name, value);
    return writer.build();
  };
  const alone = link({ "a.obj": weak(), "b.obj": defines("elsewhere", 8) });
  assertEquals(alone.settled(alone.at("caller") + 1) + 4, alone.at("elsewhere"));
  const both = link({ "a.obj": weak(), "b.obj": defines("elsewhere", 8), "c.obj": defines("f", 9) });
  assertEquals(both.settled(both.at("caller") + 1) + 4, both.at("f"));
  assertEquals(both.bytesAt(both.at("f"), 2), [0xb8, 9]);
});

/** An object that calls a function through the pointer to its import, and directly. */
function importer(name: string): Uint8Array {
  const writer = new CoffWriter();
  const text = writer.section({
    name: ".text",
    flags: Scn.CODE,
    bytes: Uint8Array.of(0xff, 0x15, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0),
  });
  writer.symbol({ name: "caller", section: text, type: 0x20 });
  writer.relocation(text, 2, writer.symbol({ name: `__imp_${name}` }), Rel.REL32);
  writer.relocation(text, 7, writer.symbol({ name }), Rel.REL32);
  return writer.build();
}

Deno.test("pointers to imports are made, and hold the address that the name has everywhere", () => {
  const linked = link({ "a.obj": importer("system_function") });
  assertEquals(linked.map.imports.map(({ name }) => name), ["system_function"]);
  const pointer = linked.settled(linked.at("caller") + 2) + 4;
  const [relocation] = linked.relocations().filter(({ offset }) => offset === pointer);
  assertEquals([relocation.symbol, relocation.addend], ["system_function", 0]);
  assertEquals(linked.file.header.platform, Platform.Windows);
  const writer = new CoffWriter();
  addCoffFunction(writer, "system_function", 3);
  const inside = link({ "a.obj": importer("system_function"), "b.obj": writer.build() });
  assertEquals(inside.map.imports, [], "the name is defined here");
});

Deno.test("import libraries name the DLL, in the short form and in that of GNU", () => {
  const short = archive([{
    name: "strlen.o",
    bytes: shortImport("strlen", "ucrtbase.dll"),
    symbols: ["__imp_strlen", "strlen"],
  }]);
  const folder = new URL("../../../fixtures/coff/", import.meta.url);
  const long = Deno.readFileSync(new URL("long_imports.a", folder));
  const llvm = Deno.readFileSync(new URL("short_imports.lib", folder));
  for (const library of [short, long, llvm]) {
    const linked = link({ "a.obj": importer("strlen"), "lib.a": library }, { exports: ["caller"] });
    assertEquals(linked.map.imports.map(({ name }) => name), ["strlen"]);
    assertEquals(linked.file.hostLibraries(), ["ucrtbase.dll"]);
  }
});

Deno.test("an import that the DLL knows by another name keeps both names apart", () => {
  const library = archive([{
    name: "f.o",
    bytes: shortImport("our_name", "system.dll", 0, 4, "their_name"),
    symbols: ["__imp_our_name", "our_name"],
  }]);
  const linked = link({ "a.obj": importer("our_name"), "lib.a": library }, { exports: ["caller"] });
  assertEquals(linked.map.imports.map(({ name }) => name), ["their_name"]);
  const stub = linked.settled(linked.at("caller") + 7) + 4;
  assertEquals(linked.bytesAt(stub, 2), [0xff, 0x25], "a jump through the pointer");
  assertEquals(linked.settled(stub + 2), linked.settled(linked.at("caller") + 2), "the same pointer");
  const numbered = archive([{
    name: "f.o",
    bytes: shortImport("our_name", "system.dll", 0, 0),
    symbols: ["our_name"],
  }]);
  const error = linkFails({ "a.obj": importer("our_name"), "lib.a": numbered }, "Unsupported", "by a number");
  assert(error.hint.includes("imports"), error.hint);
});

Deno.test("objects that say what they export export nothing else; libraries that they ask for are said", () => {
  const writer = new CoffWriter();
  addCoffFunction(writer, "shown", 1);
  addCoffFunction(writer, "other", 2);
  writer.section({
    name: ".drectve",
    flags: Scn.INFO,
    bytes: ascii("/EXPORT:shown /EXPORT:renamed=other /DEFAULTLIB:LIBCMT"),
  });
  const linked = link({ "a.obj": writer.build() });
  assertEquals(linked.exportNames().toSorted(), ["renamed", "shown"]);
  assertEquals(linked.at("renamed"), linked.at("shown") + 16);
  assertEquals(linked.map.defaultLibraries, ["LIBCMT"]);
});

Deno.test("distances from the start of the image count from its code", () => {
  const writer = new CoffWriter();
  addCoffFunction(writer, "f", 1);
  const g = addCoffFunction(writer, "g", 2);
  const table = writer.section({
    name: ".rdata",
    flags: Scn.RODATA,
    bytes: new Uint8Array(12),
    alignment: 4,
  });
  writer.symbol({ name: "table", section: table });
  writer.relocation(table, 0, writer.symbol({ name: "label", section: g, value: 5 }), Rel.ADDR32NB);
  writer.relocation(table, 4, writer.symbol({ name: "elsewhere" }), Rel.ADDR32NB);
  writer.relocation(table, 8, writer.symbol({ name: "__ImageBase" }), Rel.REL32);
  const linked = link({ "a.obj": writer.build() });
  const at = linked.at("table");
  assertEquals(linked.int32(at), linked.at("g") + 5);
  assertEquals(linked.bytesAt(linked.int32(at + 4), 2), [0xff, 0x25], "an import is reached by its stub");
  assertEquals(linked.settled(at + 8) + 4, 0);
  assert(linked.isFixed);
});

Deno.test("parts of a table are put in the order of their names, and all are kept", () => {
  const part = (name: string, value: number) => {
    const writer = new CoffWriter();
    const section = writer.section({ name: `.list$${name}`, flags: Scn.RODATA, bytes: Uint8Array.of(value) });
    if (name === "a") writer.symbol({ name: "start", section });
    return writer.build();
  };
  const linked = link({
    "z.obj": part("z", 4),
    "m.obj": part("m", 2),
    "a.obj": part("a", 1),
    "n.obj": part("n", 3),
  });
  assertEquals(linked.bytesAt(linked.at("start"), 4), [1, 2, 3, 4]);
});

Deno.test("relocations that modules cannot have are refused with the next step", () => {
  const writer = new CoffWriter();
  const text = writer.section({ name: ".text", flags: Scn.CODE, bytes: new Uint8Array(12) });
  const f = writer.symbol({ name: "f", section: text, type: 0x20 });
  writer.relocation(text, 0, f, Rel.SECTION);
  const error = linkFails({ "a.obj": writer.build() }, "Unsupported", "numbers of sections");
  assertEquals([error.data.path, error.data.section], ["a.obj", ".text"]);
  const other = new CoffWriter();
  const data = other.section({ name: ".data", flags: Scn.DATA, bytes: new Uint8Array(8) });
  const v = other.symbol({ name: "v", section: data });
  other.relocation(data, 0, v, Rel.SECREL);
  linkFails({ "a.obj": other.build() }, "Unsupported", "thread-local");
});

Deno.test("an object with nothing but intermediate code is refused", () => {
  // gcc -flto: the text of the compiler's version is all that could be in memory.
  const writer = new CoffWriter();
  writer.section({ name: ".gnu.lto_.inline.1", flags: Scn.RODATA, bytes: new Uint8Array(8) });
  writer.section({ name: ".rdata$zzz", flags: Scn.RODATA, bytes: ascii("GCC: (GNU)") });
  writer.symbol({ name: "__gnu_lto_slim", value: 1 });
  const error = linkFails({ "a.o": writer.build() }, "Unsupported", "only intermediate code");
  assert(error.hint.includes("-ffat-lto-objects"), error.hint);
});

Deno.test("a link for one system refuses objects for another", () => {
  const writer = new CoffWriter();
  addCoffFunction(writer, "f", 1);
  const error = linkFails({ "a.obj": writer.build() }, "IncompatiblePlatform", "Windows, not Linux", {
    platform: Platform.Linux,
  });
  assertEquals(error.data.path, "a.obj");
  const mixed = link({ "a.obj": writer.build(), "b.o": functionObject("g", 1) }, {
    platform: Platform.Windows,
  });
  assertEquals(mixed.exportNames().toSorted(), ["f", "g"]);
});

Deno.test("names of C++ on Windows keep their letters, which versions of ELF have as well", () => {
  const writer = new CoffWriter();
  addCoffFunction(writer, "?f@@YAHXZ", 1);
  addCoffFunction(writer, "?f@@YAHH@Z", 2);
  assertEquals(link({ "a.obj": writer.build() }).exportNames().toSorted(), ["?f@@YAHH@Z", "?f@@YAHXZ"]);
});

Deno.test("a damaged name of a pointer to an import does not keep the linker busy", () => {
  const library = archive([{
    name: "f.o",
    bytes: shortImport("strlen", "ucrtbase.dll"),
    symbols: ["__imp_strlen", "strlen"],
  }]);
  // The index is no longer UTF-8.
  library[library.indexOf(0x5f, 70) + 8] = 0xff;
  linkFails({ "lib.a": library }, "UndefinedSymbol", "nothing is exported", { exports: ["*"] });
});

Deno.test("damaged debug information costs itself, not the link", () => {
  const writer = new CoffWriter();
  addCoffFunction(writer, "f", 1);
  const debug = writer.section({ name: ".debug_info", flags: Scn.RODATA, bytes: new Uint8Array(8) });
  writer.relocation(debug, 99, 0, Rel.SECREL);
  const { map } = link({ "a.obj": writer.build() });
  assertEquals(map.exports.map(({ name }) => name), ["f"]);
  assertEquals(map.debug.unreadable.map(({ object }) => object), ["a.obj"]);
});

Deno.test("a variable that distances from the image's start lead to is not a home, and others are", () => {
  const writer = new CoffWriter();
  const data = (name: string): number => {
    const section = writer.section({ name: `.data$${name}`, flags: Scn.DATA, bytes: new Uint8Array(8) });
    return writer.symbol({ name, section });
  };
  const near = data("near"), free = data("free");
  const code = writer.section({ name: ".text", flags: Scn.CODE, bytes: new Uint8Array(16) });
  writer.symbol({ name: "f", section: code, type: 0x20 });
  writer.relocation(code, 0, near, Rel.ADDR32NB);
  writer.relocation(code, 8, free, Rel.ADDR64);
  for (const options of [{ reloadable: true }, { hot: true }]) {
    const { bytes } = linkObjects([{ name: "a.obj", bytes: writer.build() }], options);
    const file = parseSmf(bytes);
    const homes = file.homes().map(({ symbol }) => file.symbols.name(symbol));
    assertEquals(homes, [".data$free"]);
  }
});

/** An object with a function, and sections that hold its address. */
function listing(...names: string[]): Uint8Array {
  const writer = new CoffWriter();
  const text = writer.section({ name: ".text", flags: Scn.CODE, bytes: new Uint8Array(8).fill(0xc3) });
  const f = writer.symbol({ name: "f", section: text, type: 0x20 });
  for (const [position, name] of names.entries()) {
    const bytes = new Uint8Array(8);
    bytes[0] = position;
    const section = writer.section({ name, flags: 0x4000_0040, bytes, alignment: 8 });
    writer.relocation(section, 0, f, 1);
  }
  return writer.build();
}

Deno.test("functions for threads become one table, in the order of their sections' names", () => {
  const linked = link({ "a.obj": listing(".CRT$XLC", ".CRT$XLB") });
  const { address, size } = linked.section(".tls_callbacks");
  assertEquals(size, 16);
  assertEquals([linked.target(address), linked.target(address + 8)], [linked.at("f") + 1, linked.at("f")]);
  linkFails(
    { "a.obj": listing(".CRT$XDB") },
    "Unsupported",
    "thread-local objects are used without a check",
  );
});

Deno.test("MinGW's functions for the ends of threads learn that they are part of a library", () => {
  const writer = new CoffWriter();
  // movzbl __mingw_module_is_dll(%rip), %eax; ret
  const bytes = Uint8Array.of(0x0f, 0xb6, 0x05, 0, 0, 0, 0, 0xc3);
  const text = writer.section({ name: ".text", flags: Scn.CODE, bytes });
  writer.symbol({ name: "asks", section: text, type: 0x20 });
  writer.relocation(text, 3, writer.symbol({ name: "__mingw_module_is_dll" }), Rel.REL32);
  const linked = link({ "a.o": writer.build() });
  assertEquals(linked.map.imports, []);
  assertEquals(linked.bytesAt(linked.settled(linked.at("asks") + 3) + 4, 1), [1]);
});
