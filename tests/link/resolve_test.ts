// Symbol resolution: the objects that take part in a link, and the definition of each name.
import { assert, assertEquals } from "@std/assert";
import { linkObjects } from "../../src/link/linker.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { SectionIndex, SymbolBinding, SymbolKind, SymbolVisibility } from "../../src/os/elf.ts";
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
} from "../support/objects.ts";

/** Returns the first byte of a function, which tells its definitions apart. */
function firstByte(linked: ReturnType<typeof link>, name: string): number {
  return linked.bytesAt(linked.at(name), 1)[0];
}

Deno.test("a strong definition beats a weak one, whichever comes first", () => {
  const strong = functionObject("f", 1);
  const weak = functionObject("f", 2, [], SymbolBinding.WEAK);
  assertEquals(firstByte(link({ "s.o": strong, "w.o": weak }), "f"), 1);
  assertEquals(firstByte(link({ "w.o": weak, "s.o": strong }), "f"), 1);
});

Deno.test("the first of several weak definitions is used, and exported like a strong one", () => {
  const [one, two] = [1, 2].map((byte) => functionObject("f", byte, [], SymbolBinding.WEAK));
  const linked = link({ "1.o": one, "2.o": two });
  assertEquals(firstByte(linked, "f"), 1);
  assertEquals(linked.exportNames(), ["f"]);
  assertEquals(linked.file.symbols.find("f")?.binding, SymbolBinding.GLOBAL);
});

Deno.test("two strong definitions are an error that names both objects", () => {
  const error = linkFails(
    { "1.o": functionObject("f", 1), "2.o": functionObject("f", 2) },
    "Incompatible",
    "Cannot define 'f': it is already defined",
  );
  assert(error.hint.includes("local (static in C)"), error.hint);
  assertEquals(error.data.path, "2.o");
  assertEquals(error.data.symbol, "f");
  assert(error.message.includes("'1.o'"));
});

Deno.test("all duplicates are reported at once", () => {
  const both = (byte: number) => {
    const writer = new ElfWriter();
    addFunction(writer, "f", Uint8Array.of(byte));
    addFunction(writer, "g", Uint8Array.of(byte));
    return writer.build();
  };
  const error = linkFails({ "1.o": both(1), "2.o": both(2) }, "Incompatible", "already defined");
  assertEquals((error.cause as AggregateError).errors.map((one) => one.data.symbol), ["f", "g"]);
});

function commonObject(name: string, size: number, alignment: number): Uint8Array {
  const writer = new ElfWriter();
  writer.symbol({ name, section: SectionIndex.COMMON, value: alignment, size, kind: SymbolKind.OBJECT });
  return writer.build();
}

function variableObject(name: string, bytes: Uint8Array, binding?: number): Uint8Array {
  const writer = new ElfWriter();
  addVariable(writer, name, bytes, binding);
  return writer.build();
}

Deno.test("tentative definitions become one, as large and as aligned as any asks for", () => {
  const linked = link({
    "1.o": commonObject("c", 8, 64),
    "2.o": commonObject("c", 100, 4),
    "3.o": commonObject("d", 4, 4),
  });
  assertEquals(linked.file.symbols.find("c")?.size, 100);
  assertEquals(linked.at("c") % 64, 0);
  assertEquals(linked.map.sections.map(({ kind, size }) => [kind, size]), [["bss", 104]]);
});

Deno.test("a definition beats a tentative one, which beats a weak one", () => {
  const strong = link({ "c.o": commonObject("v", 64, 8), "s.o": variableObject("v", Uint8Array.of(7)) });
  assertEquals(strong.bytesAt(strong.at("v"), 1), [7]);
  assertEquals(strong.file.symbols.find("v")?.size, 1);
  const weak = variableObject("v", Uint8Array.of(7), SymbolBinding.WEAK);
  for (
    const inputs of [{ "w.o": weak, "c.o": commonObject("v", 64, 8) }, {
      "c.o": commonObject("v", 64, 8),
      "w.o": weak,
    }]
  ) {
    assertEquals(link(inputs).file.symbols.find("v")?.size, 64);
  }
});

Deno.test("a tentative definition without a usable alignment is an error", () => {
  for (const alignment of [0, 3, 2 ** 31]) {
    linkFails(commonObject("c", 8, alignment), "InvalidFormat", "common symbol");
  }
  linkFails(commonObject("c", 2 ** 60, 8), "InvalidFormat", "common symbol");
});

Deno.test("visibility is the most constraining of all objects", () => {
  const hiddenReference = () => {
    const writer = new ElfWriter();
    const caller = addFunction(writer, "caller", new Uint8Array(8));
    const f = writer.symbol({ name: "f", visibility: SymbolVisibility.HIDDEN });
    writer.relocation(caller, { offset: 0, symbol: f, type: 4, addend: -4 });
    return writer.build();
  };
  const linked = link({ "f.o": functionObject("f", 1), "r.o": hiddenReference() });
  assertEquals(linked.exportNames(), ["caller"]);
  assertEquals(linked.file.symbols.find("f")?.binding, SymbolBinding.LOCAL);
  const error = linkFails(hiddenReference(), "UndefinedSymbol", "undefined symbol 'f' is hidden");
  assert(error.hint.includes("declare it with default visibility"), error.hint);
});

Deno.test("protected symbols are exported, internal ones are not", () => {
  const writer = new ElfWriter();
  const section = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(16) });
  writer.symbol({ name: "shown", section, visibility: SymbolVisibility.PROTECTED });
  writer.symbol({ name: "inner", section, value: 8, visibility: SymbolVisibility.INTERNAL });
  assertEquals(link(writer.build()).exportNames(), ["shown"]);
});

Deno.test("undefined names become imports, weak ones weak, unused ones nothing", () => {
  const writer = new ElfWriter();
  const f = addFunction(writer, "f", new Uint8Array(16));
  writer.relocation(f, { offset: 0, symbol: writer.symbol({ name: "strong" }), type: 4, addend: -4 });
  const weak = writer.symbol({ name: "weak", binding: SymbolBinding.WEAK });
  writer.relocation(f, { offset: 4, symbol: weak, type: 9, addend: -4 });
  writer.symbol({ name: "unused" });
  const linked = link(writer.build());
  assertEquals(
    linked.map.imports,
    [{ name: "strong", weak: false, neededBy: ["a.o"] }, { name: "weak", weak: true, neededBy: ["a.o"] }],
  );
  const { symbols } = linked.file;
  assertEquals(symbols.find("strong")?.binding, SymbolBinding.GLOBAL);
  assertEquals(symbols.find("weak")?.binding, SymbolBinding.WEAK);
  for (const name of ["strong", "weak"]) {
    const { value, size, visibility } = symbols.find(name)!;
    assertEquals([value, size, visibility], [0, 0, 0]);
  }
});

const chain = archive([
  { name: "b.o", bytes: functionObject("b", 2, ["c"]), symbols: ["b"] },
  { name: "a.o", bytes: functionObject("a", 1, ["b"]), symbols: ["a"] },
  { name: "c.o", bytes: functionObject("c", 3, ["import"]), symbols: ["c"] },
  { name: "d.o", bytes: functionObject("d", 4), symbols: ["d"] },
]);

Deno.test("members are pulled in only when needed, in rounds until nothing changes", () => {
  const linked = link({ "libx.a": chain, "main.o": functionObject("main", 9, ["a"]) });
  assertEquals(linked.map.members, [
    { member: "libx.a(a.o)", symbol: "a", neededBy: "main.o" },
    { member: "libx.a(b.o)", symbol: "b", neededBy: "libx.a(a.o)" },
    { member: "libx.a(c.o)", symbol: "c", neededBy: "libx.a(b.o)" },
  ]);
  assertEquals(linked.exportNames(), ["main"], "members' names are not exported");
  assertEquals(linked.map.imports, [{ name: "import", weak: false, neededBy: ["libx.a(c.o)"] }]);
  assertEquals(linked.file.symbols.find("d"), undefined);
});

Deno.test("archives may need each other", () => {
  const one = archive([
    { name: "a.o", bytes: functionObject("a", 1, ["b"]), symbols: ["a"] },
    { name: "c.o", bytes: functionObject("c", 1), symbols: ["c"] },
  ]);
  const two = archive([{ name: "b.o", bytes: functionObject("b", 1, ["c"]), symbols: ["b"] }]);
  const linked = link({ "main.o": functionObject("main", 9, ["a"]), "1.a": one, "2.a": two });
  assertEquals(linked.importNames(), []);
  assertEquals(linked.map.members.map(({ member }) => member), ["1.a(a.o)", "2.a(b.o)", "1.a(c.o)"]);
});

Deno.test("the first archive that defines a name is used, and objects before all archives", () => {
  const lib = (byte: number) => archive([{ name: "f.o", bytes: functionObject("f", byte), symbols: ["f"] }]);
  const main = functionObject("main", 9, ["f"]);
  const linked = link({ "1.a": lib(1), "2.a": lib(2), "main.o": main }, { exports: ["f"] });
  assertEquals(firstByte(linked, "f"), 1);
  const own = link({ "1.a": lib(1), "main.o": main, "f.o": functionObject("f", 5) });
  assertEquals(firstByte(own, "f"), 5);
  assertEquals(own.map.members, []);
});

Deno.test("a weak reference pulls no member in, but uses a definition that is there", () => {
  const weakly = (() => {
    const writer = new ElfWriter();
    const f = addFunction(writer, "main", new Uint8Array(16));
    const a = writer.symbol({ name: "a", binding: SymbolBinding.WEAK });
    writer.relocation(f, { offset: 0, symbol: a, type: 9, addend: -4 });
    return writer.build();
  })();
  const alone = link({ "main.o": weakly, "libx.a": chain });
  assertEquals(alone.map.members, []);
  assertEquals(alone.map.imports.map(({ name, weak }) => [name, weak]), [["a", true]]);
  const both = link({ "main.o": weakly, "libx.a": chain, "other.o": functionObject("other", 1, ["a"]) });
  assertEquals(both.importNames(), ["import"]);
});

Deno.test("a tentative definition pulls in a member with a real definition, but not one with a tentative one", () => {
  const real = archive([{ name: "v.o", bytes: variableObject("v", Uint8Array.of(7)), symbols: ["v"] }]);
  const linked = link({ "c.o": commonObject("v", 8, 8), "lib.a": real });
  assertEquals(linked.bytesAt(linked.at("v"), 1), [7]);
  const tentative = archive([{ name: "v.o", bytes: commonObject("v", 800, 8), symbols: ["v"] }]);
  assertEquals(link({ "c.o": commonObject("v", 8, 8), "lib.a": tentative }).file.symbols.find("v")?.size, 8);
});

Deno.test("exported names pull members in, exact ones and globs", () => {
  assertEquals(link({ "libx.a": chain }, { exports: ["d"] }).exportNames(), ["d"]);
  const all = link({ "libx.a": chain }, { exports: ["*"] });
  assertEquals(all.exportNames().toSorted(), ["a", "b", "c", "d"]);
  assertEquals(link({ "libx.a": chain }, { exports: ["?", "c"] }).exportNames().toSorted(), [
    "a",
    "b",
    "c",
    "d",
  ]);
});

Deno.test("a link without anything to export is refused with the next step", () => {
  const archives = linkFails({ "libx.a": chain }, "UndefinedSymbol", "archives alone export nothing");
  assert(archives.hint.startsWith("name the symbols to export"), archives.hint);
  assert(linkFails({}, "UndefinedSymbol", "no inputs").hint.startsWith("give at least one object"));
  const none = linkFails(functionObject("f", 1), "UndefinedSymbol", "nothing is exported", { exports: [] });
  assert(none.hint.startsWith("export a symbol"), none.hint);
});

Deno.test("a default version is the plain name, an old version is a name of its own", () => {
  const writer = new ElfWriter();
  const section = writer.section({ name: ".text", flags: CODE, bytes: Uint8Array.of(1, 2, 3, 4) });
  writer.symbol({ name: "f@@V2", section, kind: SymbolKind.FUNC });
  writer.symbol({ name: "f@V1", section, value: 2, kind: SymbolKind.FUNC });
  const linked = link({ "f.o": writer.build(), "main.o": functionObject("main", 9, ["f"]) });
  assertEquals(linked.importNames(), []);
  assertEquals(linked.exportNames().toSorted(), ["f", "f@V1", "main"]);
});

Deno.test("objects for two processors are not linked", () => {
  const other = new ElfWriter(183);
  addFunction(other, "g", new Uint8Array(8));
  const error = linkFails(
    { "x.o": functionObject("f", 1), "a.o": other.build() },
    "IncompatibleArch",
    "another processor",
  );
  assertEquals(error.hint, "compile all inputs for one processor");
  assertEquals(error.data.path, "a.o");
});

Deno.test("objects that cannot become a module are refused with the reason", () => {
  const withSection = (options: Parameters<ElfWriter["section"]>[0]) => {
    const writer = new ElfWriter();
    addFunction(writer, "f", new Uint8Array(4));
    writer.section(options);
    return writer.build();
  };
  const bytes = new Uint8Array(8);
  const stack = { name: ".note.GNU-stack", flags: 4, bytes: new Uint8Array(0) };
  const isStack = linkFails(withSection(stack), "Unsupported", "executable stack");
  assert(isStack.hint.startsWith("compile without nested functions"), isStack.hint);
  const both = linkFails(
    withSection({ name: ".both", flags: CODE | DATA, bytes }),
    "Unsupported",
    "writable and executable",
  );
  assert(both.hint.includes("sections of their own"), both.hint);
  linkFails(withSection({ name: ".packed", flags: DATA | 0x800, bytes }), "InvalidFormat", "compressed");
  const slim = new ElfWriter();
  slim.section({ name: ".gnu.lto_main", flags: 0, bytes });
  const lto = linkFails(slim.build(), "Unsupported", "only intermediate code");
  assert(lto.hint.startsWith("compile without -flto"), lto.hint);
});

Deno.test("global symbols have names, in UTF-8", () => {
  const named = (name: string): Uint8Array => {
    const writer = new ElfWriter();
    addFunction(writer, "f", Uint8Array.of(0xc3));
    writer.symbol({ name, section: 1 });
    return writer.build();
  };
  linkFails(named(""), "InvalidFormat", "has no name");
  // The writer makes a byte of each character.
  linkFails(named("\xff"), "InvalidFormat", "not UTF-8");
  assertEquals(link(named("\xc3\xbc")).exportNames(), ["f", "ü"]);
});

Deno.test("sections marked to be left out are left out", () => {
  const writer = new ElfWriter();
  addFunction(writer, "f", new Uint8Array(4));
  const out = writer.section({ name: ".llvm.out", flags: 0x80000002, bytes: Uint8Array.of(1) });
  writer.symbol({ name: "left_out", section: out });
  assertEquals(link(writer.build()).exportNames(), ["f"]);
});

testWithCompilers(
  ["gcc"],
  "a name and its default version in one object are one definition",
  async (folder) => {
    const source = 'int f(void) { return 1; } __asm__(".symver f, f@@@V2"); ' +
      '__attribute__((symver("g@@V2"))) int g(void) { return 2; } int h(void) { return f() + g(); }';
    Deno.writeTextFileSync(`${folder}/a.c`, source);
    await compile("gcc", ["-O2", "-fPIC", "-c", "a.c"], folder);
    const { map } = linkObjects([{ name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) }]);
    assertEquals(map.exports.map(({ name }) => name).toSorted(), ["f", "g", "h"]);
  },
);
