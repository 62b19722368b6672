import { assert, assertEquals } from "@std/assert";
import { demangle, demangled, demangledVariable } from "../../src/demangle/mod.ts";
import { textLines } from "./names.ts";

Deno.test("names of C++ and Rust are those of the source", () => {
  for (const line of textLines()) {
    const [name, text] = line.split("\t");
    assertEquals(demangle(name), text, name);
  }
});

Deno.test("other names are not demangled", () => {
  for (const name of ["main", "_Zen", "_start", "_R", "_Z", "_ZN", "_ZNK", "R", "", "_Z1", "_ZN3fooE_"]) {
    assertEquals(demangle(name), undefined, name);
    assertEquals(demangled(name), name);
  }
});

Deno.test("what linkers put behind a name stays", () => {
  assertEquals(demangle("_ZN3foo3barEv@@LIB_1.0"), "foo::bar()@@LIB_1.0");
  assertEquals(demangle("_ZL5total@a.o"), "total@a.o");
});

Deno.test("clones of functions say so", () => {
  assertEquals(demangle("_Z1fv.constprop.0.cold"), "f() [clone .constprop.0] [clone .cold]");
  assertEquals(demangle("_RNvC1a1f.llvm.0123456789ABCDEF"), "a::f");
});

Deno.test("a parameter of a template means the function that repeats it", () => {
  // S1_ is T_ of the lambda's function where it is first written, and T_ of the outer one where it is repeated.
  assertEquals(
    demangle("_Z1gIZ1fIiEvT_EUlvE_EvS1_"),
    "void g<f<int>(int)::{lambda()#1}>(f<int>(int)::{lambda()#1})",
  );
});

Deno.test("references to references are one", () => {
  assertEquals(demangle("_Z1fIRiEvOT_RS1_"), "void f<int&>(int&, int&)");
  assertEquals(demangle("_Z1fIOiEvOT_RS1_"), "void f<int&&>(int&&, int&)");
});

Deno.test("parameters that mean themselves end", () => {
  assertEquals(demangle("_Z1fIRT_EvOS0_RS1_"), undefined);
  assertEquals(demangle("_Z1fIT_EvS0_"), undefined);
});

Deno.test("names that are cut off anywhere are left alone or demangled", () => {
  for (const line of textLines()) {
    const [name] = line.split("\t");
    for (let length = 0; length < name.length; length++) demangle(name.slice(0, length));
  }
});

const BASE_36 = (index: number): string => index === 0 ? "S_" : `S${(index - 1).toString(36).toUpperCase()}_`;

/** A name whose parts double: `1bIS_S_E`, where `S_` is the one before. */
function doubling(first: string, count: number): string {
  let name = first;
  for (let index = 0; index < count; index++) {
    name += `1bI${BASE_36(2 * index + 1)}${BASE_36(2 * index + 1)}E`;
  }
  return name;
}

Deno.test("names that stand for endless text are refused, in little time", () => {
  const names = [
    doubling("_Z1f1aIiiE", 60),
    `_Z1f${"P".repeat(60_000)}i`,
    `_Z1f${"1aI".repeat(20_000)}`,
    `_ZN${"1a".repeat(30_000)}Ev`,
    `_ZN${"UlvE_".repeat(10_000)}Ev`,
    `_Z${"Z".repeat(50_000)}1fvE`,
    `_Z1fIX${"pl".repeat(500)}${"Li1E".repeat(501)}EEvv`,
    `_Z1fv${".a.1".repeat(15_000)}`,
    `_Z${"1".repeat(60_000)}`,
    `_RNvC1a${"1b".repeat(30_000)}`,
    `_RNvC1au60000${"a".repeat(60_000)}`,
    `_RINvC1a1f${"T".repeat(30_000)}`,
    `_Z${"x".repeat(1 << 20)}`,
  ];
  const start = performance.now();
  for (const name of names) assertEquals(demangle(name), undefined, name.slice(0, 30));
  assert(performance.now() - start < 5000);
});

Deno.test("text grows in proportion to the name at most", () => {
  for (let count = 1; count < 60; count++) {
    const name = doubling("_Z1f1aIiiE", count);
    assert((demangle(name)?.length ?? 0) < 4096 + 64 * name.length);
  }
});

Deno.test("a variable's name has the field that is stored by itself behind it", () => {
  const names: readonly (readonly [string, string])[] = [
    ["_ZL5tally.sum", "tally.sum"],
    ["_ZZ4noteiE4seen[1].last.y@a.cpp", "note(int)::seen[1].last.y@a.cpp"],
    ["tally.sum", "tally.sum"],
    ["_ZL5tally", "tally"],
    ["_ZL5tally.lto_priv.0", demangled("_ZL5tally.lto_priv.0")],
    ["_ZL5tally.0", demangled("_ZL5tally.0")],
  ];
  for (const [name, shown] of names) assertEquals(demangledVariable(name), shown);
});
