// The tables of C++ classes in hot modules: which are homes, and what is behind and in them.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type LinkedModule, linkObjects } from "../../src/link/linker.ts";
import { SymbolKind, SymbolVisibility } from "../../src/os/elf.ts";
import { RelocationType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { testOutputOf } from "../support/compilers.ts";
import { addFunction, DATA, ElfWriter, link } from "../support/objects.ts";
import { R } from "../support/relocation_objects.ts";

/** The names of the symbols in the homes of a module, with the sizes of the homes. */
function homesOf({ bytes }: LinkedModule): Record<string, number> {
  const file = parseSmf(bytes);
  const homes: Record<string, number> = {};
  for (const { offset, size } of file.homes()) {
    const names = [];
    for (let index = 0; index < file.symbols.length; index++) {
      const value = file.symbols.value(index);
      const isInside = file.symbols.isDefined(index) && value >= offset && value < offset + size;
      if (isInside && file.symbols.size(index) > 0) names.push(file.symbols.name(index));
    }
    homes[names.sort().join()] = size;
  }
  return homes;
}

const SOURCE = `
  struct A { virtual int f() { return 1; } virtual int g() { return 2; } };
  namespace { struct B : A { int g() override { return 3; } }; }
  struct C : A { int f() override; };
  int C::f() { return 5; }
  A *made(int n) { if (n == 0) return new A; if (n == 1) return new B; return new C; }`;

for (const compiler of ["g++", "clang++", "aarch64-linux-gnu-g++"]) {
  testOutputOf(
    compiler,
    `tables of classes are homes with spare slots: ${compiler}`,
    async (folder, compile) => {
      Deno.writeTextFileSync(`${folder}/a.cpp`, SOURCE);
      const object = async (...flags: string[]) => {
        await compile("-O2", "-fPIC", ...flags, "-c", "a.cpp", "-o", "a.o");
        return [{ name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) }];
      };
      const inputs = await object("-fdata-sections");
      const homes = homesOf(linkObjects(inputs, { hot: true, strip: true, spareVirtuals: 3 }));
      for (const [name, size] of Object.entries({ _ZTV1A: 32, _ZTVN12_GLOBAL__N_11BE: 32, _ZTV1C: 32 })) {
        assertEquals(homes[name], size + 3 * 8, name);
      }
      for (const name of ["_ZTI1A", "_ZTIN12_GLOBAL__N_11BE", "_ZTS1C", "_ZTSN12_GLOBAL__N_11BE"]) {
        assert(homes[name] > 0, name);
      }
      assertEquals(homesOf(linkObjects(inputs, { reloadable: true })), {});
      assertEquals(linkObjects(inputs, { hot: true }).map.mixedTables, []);
      assertEquals(homesOf(linkObjects(inputs, { hot: true }))._ZTV1A, 32 + 16 * 8);
      // Without sections of their own some tables stay together, or are beside other constants.
      const shared = linkObjects(await object(), { hot: true }).map;
      const hinted = [...shared.sharedHomes, ...shared.mixedTables];
      for (const { flags } of hinted) assertEquals(flags, ["-fdata-sections"]);
    },
  );
}

Deno.test("slots of folded functions name the one that is meant, exported or not", () => {
  for (const visibility of [SymbolVisibility.DEFAULT, SymbolVisibility.HIDDEN]) {
    const writer = new ElfWriter();
    // Which compiler it was says whether functions that nobody exports have entries.
    writer.section({ name: ".comment", flags: 0, bytes: new TextEncoder().encode("GCC: (GNU) 12.2.0\0") });
    const code = addFunction(writer, "root", new Uint8Array(16));
    const first = writer.symbol({
      name: "_ZN1A1fEv",
      section: code,
      value: 8,
      kind: SymbolKind.FUNC,
      visibility,
    });
    const second = writer.symbol({
      name: "_ZN1A1gEv",
      section: code,
      value: 8,
      kind: SymbolKind.FUNC,
      visibility,
    });
    const section = writer.section({
      name: ".data.rel.ro._ZTV1A",
      flags: DATA,
      bytes: new Uint8Array(32),
      alignment: 8,
    });
    writer.symbol({ name: "_ZTV1A", section, size: 32, kind: SymbolKind.OBJECT });
    writer.relocation(section, { offset: 16, symbol: second, type: R[64] });
    writer.relocation(section, { offset: 24, symbol: first, type: R[64] });
    const module = link(writer.build(), { hot: true, strip: true });
    assertEquals(
      module.relocations().filter(({ type }) => type === RelocationType.Abs64).map(({ symbol }) => symbol),
      ["_ZN1A1gEv", "_ZN1A1fEv"],
    );
  }
});

Deno.test("sections that hold other constants, too, are not homes, and the map lists them", () => {
  const writer = new ElfWriter();
  addFunction(writer, "root", new Uint8Array(16));
  const section = writer.section({
    name: ".data.rel.ro",
    flags: DATA,
    bytes: new Uint8Array(64),
    alignment: 8,
  });
  writer.symbol({ name: "_ZTV1A", section, size: 32, kind: SymbolKind.OBJECT });
  writer.symbol({ name: "constant", section, value: 32, size: 32, kind: SymbolKind.OBJECT });
  const unnamed = writer.section({
    name: ".data.rel.ro._ZTV1B",
    flags: DATA,
    bytes: new Uint8Array(64),
    alignment: 8,
  });
  writer.symbol({ name: "_ZTV1B", section: unnamed, size: 32, kind: SymbolKind.OBJECT });
  const module = link(writer.build(), { hot: true });
  assertEquals(module.file.homes(), []);
  assertEquals(module.map.mixedTables.map(({ section, variables, flags }) => [section, variables, flags]), [
    [".data.rel.ro", ["_ZTV1A"], ["-fdata-sections"]],
    [".data.rel.ro._ZTV1B", ["_ZTV1B"], []],
  ]);
});

Deno.test("the number of spare slots is a whole number up to 4096", () => {
  const writer = new ElfWriter();
  addFunction(writer, "root", new Uint8Array(16));
  for (const spareVirtuals of [-1, 1.5, 4097, NaN]) {
    assertThrows(() => link(writer.build(), { hot: true, spareVirtuals }), RangeError, "spare slots");
  }
});
