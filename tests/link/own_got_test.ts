// References to the linker's own GOT: the medium and large code models, and AArch64's -fpic.
import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { RelocationType } from "../../src/smf/enums.ts";
import { compile, testWithCompilers } from "../support/compilers.ts";
import {
  addFunction,
  addVariable,
  CODE,
  ElfWriter,
  link,
  type Linked,
  linkFails,
} from "../support/objects.ts";

/** Links code with one reference of 8 bytes to a variable, a function and an import each. */
function references(type: number, addend = 0): Linked {
  const writer = new ElfWriter();
  const f = addFunction(writer, "f", new Uint8Array(32).fill(0x90));
  addVariable(writer, "variable", new Uint8Array(8));
  const names = ["variable", "f", "far"].map((name) => writer.symbol({ name }));
  names.forEach((symbol, i) => writer.relocation(f, { offset: 8 * i, symbol, type, addend }));
  const callee = new ElfWriter();
  addVariable(callee, "variable", new Uint8Array(8));
  return link({ "a.o": objectOf(type, addend), "b.o": callee.build() });
}

function objectOf(type: number, addend: number, ...names: string[]): Uint8Array {
  const writer = new ElfWriter();
  const f = addFunction(writer, "f", new Uint8Array(32).fill(0x90));
  (names.length > 0 ? names : ["variable", "far"]).forEach((name, i) => {
    writer.relocation(f, { offset: 8 * i, symbol: writer.symbol({ name }), type, addend });
  });
  return writer.build();
}

Deno.test("GOT64: the offset of a slot that the loader fills", () => {
  const linked = references(27, 2);
  const got = linked.section(".got").address;
  const slots = [0, 8].map((at) => got + Number(linked.int64(linked.at("f") + at)) - 2);
  assertEquals(
    slots.map((slot) => linked.relocations().find(({ offset }) => offset === slot)?.type),
    [RelocationType.Abs64, RelocationType.Abs64],
  );
  assertEquals(linked.target(slots[0]), linked.at("variable"));
  assertEquals(linked.relocations().length, 2);
});

Deno.test("GOTPCREL64: the distance from the place to a slot", () => {
  const linked = references(28);
  const from = linked.at("f");
  const slot = from + Number(linked.int64(from));
  assertEquals(linked.target(slot), linked.at("variable"));
});

Deno.test("GOTOFF64: the distance of a symbol from the GOT, which an import does not have", () => {
  const variable = new ElfWriter();
  addVariable(variable, "variable", new Uint8Array(8));
  const inputs = { "a.o": objectOf(25, 3, "variable", "_GLOBAL_OFFSET_TABLE_"), "b.o": variable.build() };
  const linked = link(inputs);
  const got = linked.section(".got").address;
  assertEquals(got + Number(linked.int64(linked.at("f"))), linked.at("variable") + 3);
  assertEquals(Number(linked.int64(linked.at("f") + 8)), 3);
  assertEquals(linked.relocations(), []);
  linkFails(objectOf(25, 0, "far"), "Unsupported", "the symbol is not in this module");
});

Deno.test("PLTOFF64: the distance of a function, or of an import's stub, from the GOT", () => {
  const linked = link(objectOf(31, 0, "f", "far"));
  const got = linked.section(".got").address;
  const leadsTo = (at: number): number => got + Number(linked.int64(linked.at("f") + at));
  assertEquals([leadsTo(0), leadsTo(8)], [linked.at("f"), linked.section(".plt").address]);
});

Deno.test("GOTPC32 and GOTPC64: the distance from the place to the GOT", () => {
  const wide = link(objectOf(29, 1, "_GLOBAL_OFFSET_TABLE_"));
  assertEquals(Number(wide.int64(wide.at("f"))), wide.section(".got").address + 1 - wide.at("f"));
  const narrow = link(objectOf(26, 1, "_GLOBAL_OFFSET_TABLE_"));
  assertEquals(narrow.int32(narrow.at("f")), narrow.section(".got").address + 1 - narrow.at("f"));
});

Deno.test("aarch64: the offset of a slot from the page of the GOT", () => {
  const writer = new ElfWriter(183);
  const code = writer.section({ name: ".text", flags: CODE, bytes: new Uint8Array(16), alignment: 4 });
  writer.symbol({ name: "f", section: code });
  const [far, other] = ["far", "other"].map((name) => writer.symbol({ name }));
  writer.relocation(code, { offset: 4, symbol: far, type: 313 });
  writer.relocation(code, { offset: 8, symbol: other, type: 313 });
  writer.relocation(code, { offset: 12, symbol: other, type: 310 });
  const linked = link(writer.build());
  const got = linked.section(".got").address;
  const field = (at: number): number => 8 * ((linked.int32(linked.at("f") + at) >> 10) & 0xfff);
  const symbolAt = (slot: number) => linked.relocations().find(({ offset }) => offset === slot)?.symbol;
  assertEquals([symbolAt(got - got % 4096 + field(4)), symbolAt(got - got % 4096 + field(8))], [
    "far",
    "other",
  ]);
  assertEquals(symbolAt(got + field(12)), "other");
});

const SOURCE = `
#include <stdlib.h>
static int a[1 << 20]; int b[1 << 20]; static const char big[200000] = { 1, 2, 3 };
extern char **environ;
static __thread int local = 4;
int (*pointer)(int) = abs;
static int twice(int x) { return 2 * x; }
int (*table[])(int) = { twice, abs };
__attribute__((noinline)) void set(int i, int v) { a[i] = v; b[i] = v + 1; }
int test(void) {
  int s = 0;
  for (int i = 0; i < 1000; i++) set(i * 1000, i);
  for (int i = 0; i < 1000; i++) s += a[i * 1000] + b[i * 1000];
  for (int i = 0; i < 3; i++) s += big[i];
  local += pointer(-3) + table[0](2) + abs(-1);
  return s == 1000 * 999 + 1000 + 6 && local == 12 && environ != 0 && pointer == abs && &set != 0;
}`;

for (const compiler of ["gcc", "clang"]) {
  for (const model of ["medium", "large"]) {
    for (const level of ["-O0", "-O2"]) {
      const title = `${compiler} ${level} -fPIC -mcmodel=${model}: the module runs`;
      testWithCompilers([compiler], title, async (folder) => {
        Deno.writeTextFileSync(`${folder}/a.c`, SOURCE);
        await compile(compiler, [level, "-fPIC", `-mcmodel=${model}`, "-c", "a.c"], folder);
        await using registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
        const { bytes } = linkObjects([{ name: "a.o", bytes: Deno.readFileSync(`${folder}/a.o`) }]);
        const module = registry.loadBytes("a", bytes);
        assertEquals(module.getFunction("test", { parameters: [], result: "i32" })?.(), 1);
      });
    }
  }
}
