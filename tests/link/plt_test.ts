// PLT stubs of imports: one word for the loader to fill, however many calls there are.
import { assert, assertEquals } from "@std/assert";
import { RelocationType, SymbolType } from "../../src/smf/enums.ts";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import { addFunction, CODE, DATA, ElfWriter, link, type Linked } from "../support/objects.ts";

const [ABS64, PC32, PLT32, GOTPCREL, GOTPCRELX] = [1, 2, 4, 9, 41];
const CALL26 = 283;

/** Links a function that refers to the import `far` with these relocations, 8 bytes apart from offset 2. */
function calls(types: readonly number[], addend = -4): Linked {
  const writer = new ElfWriter();
  const f = addFunction(writer, "f", new Uint8Array(8 * types.length + 8).fill(0x90));
  const far = writer.symbol({ name: "far" });
  types.forEach((type, i) => writer.relocation(f, { offset: 8 * i + 2, symbol: far, type, addend }));
  return link(writer.build());
}

/** Where the distance at an offset leads. */
function leadsTo(linked: Linked, at: number): number {
  return at + 4 + linked.int32(at);
}

Deno.test("all calls of an import go to one stub, and the loader fills one word", () => {
  const linked = calls([PLT32, PLT32, PLT32, PLT32]);
  const stub = linked.section(".plt").address;
  const slot = linked.section(".got").address;
  assertEquals([0, 8, 16, 24].map((at) => leadsTo(linked, linked.at("f") + at + 2)), Array(4).fill(stub));
  assertEquals(linked.bytesAt(stub, 2), [0xff, 0x25], "jmp *slot(%rip)");
  assertEquals(leadsTo(linked, stub + 2), slot);
  assertEquals(linked.relocations(), [
    { offset: slot, symbol: "far", type: RelocationType.Abs64, addend: 0 },
  ]);
  assertEquals(linked.file.symbols.find("far")?.type, SymbolType.Function);
  assert(linked.isFixed);
});

Deno.test("loads and calls through the GOT use the word of the stub", () => {
  const linked = calls([PLT32, PLT32, PLT32, GOTPCREL, GOTPCRELX]);
  const slot = linked.section(".got").address;
  assertEquals([24, 32].map((at) => leadsTo(linked, linked.at("f") + at + 2)), [slot, slot]);
  assertEquals(linked.relocations().length, 1);
});

Deno.test("where a stub would not make the module smaller, calls stay relocations", () => {
  const linked = calls([PLT32, PLT32]);
  assertEquals(linked.relocations().map(({ type }) => type), [RelocationType.Plt32, RelocationType.Plt32]);
  assertEquals(linked.file.sections.some(({ name }) => name === ".plt"), false);
});

Deno.test("a call into the middle of an import, and its address, do not go to the stub", () => {
  const middle = calls([PLT32, PLT32, PLT32], 12);
  assertEquals(middle.relocations().filter(({ type }) => type === RelocationType.Plt32).length, 3);

  const writer = new ElfWriter();
  const f = addFunction(writer, "f", new Uint8Array(40).fill(0x90));
  const data = writer.section({ name: ".data", flags: DATA, bytes: new Uint8Array(8), alignment: 8 });
  writer.symbol({ name: "data", section: data });
  const far = writer.symbol({ name: "far" });
  for (const offset of [2, 10, 18]) {
    writer.relocation(f, { offset, symbol: far, type: PLT32, addend: -4 });
  }
  writer.relocation(f, { offset: 26, symbol: far, type: PC32, addend: -4 });
  writer.relocation(data, { offset: 0, symbol: far, type: ABS64 });
  const linked = link(writer.build());
  const kept = linked.relocations().map(({ offset, symbol, type }) => [offset, symbol, type]);
  assertEquals(kept, [
    [linked.at("f") + 26, "far", RelocationType.Pc32],
    [linked.section(".got").address, "far", RelocationType.Abs64],
    [linked.at("data"), "far", RelocationType.Abs64],
  ]);
});

Deno.test("calls of names that the link defines stay direct", () => {
  const writer = new ElfWriter();
  addFunction(writer, "near", new Uint8Array(8).fill(0xc3));
  const caller = new ElfWriter();
  const g = addFunction(caller, "g", new Uint8Array(40).fill(0x90));
  const near = caller.symbol({ name: "near" });
  for (const offset of [2, 10, 18, 26]) {
    caller.relocation(g, { offset, symbol: near, type: PLT32, addend: -4 });
  }
  const linked = link({ "a.o": caller.build(), "b.o": writer.build() });
  assertEquals(linked.relocations(), []);
  assertEquals(leadsTo(linked, linked.at("g") + 2), linked.at("near"));
});

Deno.test("aarch64: branches go to a stub, which finds its word by pages", () => {
  const writer = new ElfWriter(183);
  const code = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(24), alignment: 4 });
  writer.symbol({ name: "f", section: code });
  const far = writer.symbol({ name: "far" });
  for (let offset = 0; offset < 24; offset += 4) {
    writer.relocation(code, { offset, symbol: far, type: CALL26 });
  }
  const linked = link(writer.build());
  const stub = linked.section(".plt").address;
  const slot = linked.section(".got").address;
  for (let at = linked.at("f"); at < linked.at("f") + 24; at += 4) {
    assertEquals(at + 4 * (linked.int32(at) << 6 >> 6), stub);
  }
  assertEquals(linked.relocations(), [
    { offset: stub, symbol: ".got", type: RelocationType.Arm64Page21, addend: 0 },
    { offset: stub + 4, symbol: ".got", type: RelocationType.Arm64PageOff12, addend: 0 },
    { offset: slot, symbol: "far", type: RelocationType.Abs64, addend: 0 },
  ]);
});

const SOURCE = `
#include <stdlib.h>
#include <string.h>
int mine(const char *);
int (*volatile in_data)(const char *) = mine;
int test(void) {
  int sum = 0;
${'  sum += mine("abc") + (int)strlen("four") + abs(sum);\n'.repeat(100)}
  return sum != 0 && in_data == mine && in_data("a") == 'a';
}`;
const PROVIDER = "int mine(const char *text) { return text[0]; }";

for (const options of [["-O0"], ["-O2"], ["-O2", "-fno-plt"]]) {
  const title = `calls through stubs run, and a function has one address (${options.join(" ")})`;
  testWithCompilers(["gcc", "ld"], title, async (folder) => {
    Deno.writeTextFileSync(`${folder}/a.c`, SOURCE);
    Deno.writeTextFileSync(`${folder}/b.c`, PROVIDER);
    const flags = [...options, "-fPIC", "-fno-builtin", "-c"];
    await compile("gcc", [...flags, "a.c", "b.c"], folder);
    await compile("ld", ["-shared", "-s", "-o", "a.so", "a.o"], folder);
    await using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
    const module = (name: string) => {
      const input = { name, bytes: Deno.readFileSync(`${folder}/${name}.o`) };
      return linkObjects([input], { strip: true }).bytes;
    };
    registry.loadBytes("b", module("b"));
    const bytes = module("a");
    const a = registry.loadBytes("a", bytes);
    assertEquals(a.getFunction("test", { parameters: [], result: "i32" })?.(), 1);
    const shared = Deno.statSync(`${folder}/a.so`).size;
    assert(bytes.length <= 1.05 * shared, `${bytes.length} bytes, the shared library has ${shared}`);
  });
}
