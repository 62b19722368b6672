// Where execution starts there is code: what the linker makes, the loader takes.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleLoader } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { SymbolBinding, SymbolKind } from "../../src/os/elf.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { fixtureTest } from "../support/testing.ts";
import { addFunction, addVariable, CODE, DATA, ElfWriter, link, linkFails } from "../support/objects.ts";

const ABS64 = 1;

/** Makes an object with a function `f`, then an empty one, in one section or in two. */
function withEmpty(kind: number = SymbolKind.FUNC, together = true): { writer: ElfWriter; empty: number } {
  const writer = new ElfWriter();
  const section = addFunction(writer, "f", Uint8Array.of(0xc3));
  const own = together
    ? section
    : writer.section({ name: ".text.startup", flags: CODE, bytes: new Uint8Array(0) });
  const empty = writer.symbol({ name: "empty", section: own, value: together ? 1 : 0, kind });
  return { writer, empty };
}

/** Adds an array of function pointers. */
function addArray(writer: ElfWriter, name: string, symbols: readonly number[], bytes?: Uint8Array): void {
  const section = writer.section({
    name,
    flags: DATA,
    bytes: bytes ?? new Uint8Array(8 * symbols.length),
    alignment: 8,
  });
  symbols.forEach((symbol, i) => writer.relocation(section, { offset: 8 * i, symbol, type: ABS64 }));
}

Deno.test("an entry point without instructions is refused, with what can be done", () => {
  for (const together of [true, false]) {
    const bytes = withEmpty(SymbolKind.FUNC, together).writer.build();
    const error = linkFails(bytes, "Unsupported", "the entry point has no instructions", { entry: "empty" });
    assertEquals([error.data.path, error.data.symbol], ["a.o", "empty"]);
    assertStringIncludes(error.hint, "-O0");
  }
});

fixtureTest("an empty function that nothing starts links and loads", () => {
  const linked = link(withEmpty().writer.build(), { entry: "f" });
  assertEquals(linked.exportNames(), ["f", "empty"]);
  using _ = new ModuleLoader().loadBytes(linked.module.bytes);
});

Deno.test("an entry point is a function, not a variable and not a constant", () => {
  const writer = new ElfWriter();
  addFunction(writer, "f", Uint8Array.of(0xc3));
  addVariable(writer, "v", new Uint8Array(8));
  writer.symbol({ name: "c", section: 0xfff1, value: 5 });
  linkFails(writer.build(), "Unsupported", "the entry point is a variable", { entry: "v" });
  const error = linkFails(writer.build(), "Unsupported", "the entry point is a constant", { entry: "c" });
  assertStringIncludes(error.hint, "name a function");
});

Deno.test("initialisers, finalisers and ifunc resolvers without instructions are refused", () => {
  for (
    const [name, what] of [
      [".init_array", "initialiser"],
      [".preinit_array", "initialiser"],
      [".ctors.100", "initialiser"],
      [".fini_array", "finaliser"],
    ]
  ) {
    const { writer, empty } = withEmpty();
    addArray(writer, name, [empty]);
    const error = linkFails(writer.build(), "Unsupported", `the ${what} has no instructions`);
    assertEquals([error.data.section, error.data.symbol, error.data.offset], [name, "empty", 0]);
  }
  linkFails(withEmpty(SymbolKind.GNU_IFUNC).writer.build(), "Unsupported", "ifunc resolver has no", {
    exports: ["f", "empty"],
  });
});

Deno.test("an initialiser is a function of the module", () => {
  const of = (make: (writer: ElfWriter) => number[], bytes?: Uint8Array): Uint8Array => {
    const writer = new ElfWriter();
    addFunction(writer, "f", Uint8Array.of(0xc3));
    addArray(writer, ".init_array", make(writer), bytes);
    return writer.build();
  };
  const variable = of((writer) => [writer.sectionSymbol(addVariable(writer, "v", new Uint8Array(8)))]);
  linkFails(variable, "Unsupported", "the initialiser is not a function (");
  for (const addend of [-8, 100]) {
    const writer = new ElfWriter();
    const code = addFunction(writer, "f", Uint8Array.of(0xc3));
    const array = writer.section({ name: ".init_array", flags: DATA, bytes: new Uint8Array(8) });
    writer.relocation(array, { offset: 0, symbol: writer.sectionSymbol(code), type: ABS64, addend });
    linkFails(writer.build(), "Unsupported", "the initialiser is not a function (");
  }
  const imported = of((writer) => [writer.symbol({ name: "puts" })]);
  const error = linkFails(imported, "Unsupported", "the initialiser is not a function of this module");
  assertEquals(error.data.symbol, "puts");
  const number = of(() => [], new Uint8Array(BigUint64Array.of(0n, 5n).buffer));
  assertEquals(linkFails(number, "Unsupported", "the initialiser is a number").data.offset, 8);
});

fixtureTest("words that old tool chains leave in arrays, and weak names, may stay", () => {
  const writer = new ElfWriter();
  addFunction(writer, "f", Uint8Array.of(0xc3));
  const words = new Uint8Array(BigInt64Array.of(0n, -1n, 0n).buffer);
  addArray(writer, ".init_array", [writer.symbol({ name: "maybe", binding: SymbolBinding.WEAK })], words);
  using module = new ModuleLoader().loadBytes(link(writer.build()).module.bytes);
  assertEquals(module.exports().map(({ name }) => name), ["f"]);
});

testWithCompilers(
  ["gcc"],
  "an empty main of a compiler is refused, whatever stands beside it",
  async (folder) => {
    const source = "int main(void) { __builtin_unreachable(); }\nint other(void) { return 1; }\n";
    Deno.writeTextFileSync(`${folder}/m.c`, source);
    for (const flags of [[], ["-ffunction-sections"], ["-fno-toplevel-reorder"]]) {
      const args = ["-O2", "-fPIC", ...flags, "-c", "m.c", "-o", "m.o"];
      const { success } = await new Deno.Command("gcc", { args, cwd: folder }).output();
      assert(success);
      const object = { name: "m.o", bytes: Deno.readFileSync(`${folder}/m.o`) };
      const error = linkFails({ "m.o": object.bytes }, "Unsupported", "no instructions", { entry: "main" });
      assertEquals(error.data.symbol, "main");
      assertEquals(linkObjects([object]).map.exports.length, 2);
    }
  },
);
