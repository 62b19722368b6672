import { assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { VersionPair } from "../../src/image/version_pair.ts";
import { planImage } from "../../src/image/plan.ts";
import { AddressMap } from "../../src/module/address_map.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { SectionType, SmfBuilder, type SymbolOptions, SymbolType } from "../../src/smf/mod.ts";
import { compiledVersion } from "../support/compiled_versions.ts";
import { testWithCompilers } from "../support/compilers.ts";
import { INT } from "../support/versions.ts";

const { Data, Function, None } = SymbolType;
const BASE = 0x10_0000;
const DATA = 4096;

/** A page of code and a page of data with these symbols. */
function planned(symbols: readonly SymbolOptions[]) {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(256) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(256) });
  for (const symbol of symbols) builder.symbol(symbol);
  const file = parseSmf(builder.build());
  return { file, plan: planImage(file, 4096, { got: 0, plt: 0 }) };
}

/** Translates an offset; both sides count from the beginning of data. */
function translation(before: readonly SymbolOptions[], after: readonly SymbolOptions[]) {
  const map = new AddressMap(new VersionPair(planned(before), planned(after)), BASE);
  return (offset: number): number | undefined => {
    const address = map.translate(DATA + offset);
    return address === undefined ? undefined : address - BASE - DATA;
  };
}

const variable = (name: string, at: number, size = 8): SymbolOptions => {
  return { name, type: Data, value: DATA + at, size };
};
const mark = (name: string, at: number): SymbolOptions => {
  return { name, type: None, binding: 0, value: DATA + at, size: 0 };
};

Deno.test("a symbol without a size never hides a variable that starts at the same place", () => {
  for (const name of [".data", "begin"]) {
    const first = [variable("x", 0), mark(name, 0)];
    for (const before of [first, first.toReversed()]) {
      const translate = translation(before, [mark(name, 0), variable("added", 0), variable("x", 8)]);
      assertEquals(translate(0), 8, name);
    }
    // The variable has gone: its address is not that of whatever is there now.
    assertEquals(translation(first, [mark(name, 0), variable("added", 0)])(0), undefined, name);
  }
});

Deno.test("a section symbol is never what an address means, another symbol without a size is", () => {
  assertEquals(translation([mark(".data", 0)], [mark(".data", 16)])(0), undefined);
  assertEquals(translation([mark("table", 0)], [mark("table", 16)])(0), 16);
});

Deno.test("an address one past the end stays one past the end, unless something starts there", () => {
  const array = variable("array", 0, 24);
  const moved = variable("array", 40, 24);
  assertEquals(translation([array], [moved])(24), 64);
  assertEquals(translation([array, mark(".bss", 24)], [moved, mark(".bss", 80)])(24), 64);
  assertEquals(translation([array, variable("x", 24)], [moved, variable("x", 0)])(24), 0);
  assertEquals(translation([array, variable("gone", 24)], [moved])(24), undefined);
  assertEquals(translation([array], [variable("array", 40, 32)])(24), undefined, "its end is elsewhere now");
});

Deno.test("an address inside a variable keeps its distance, also behind smaller symbols in it", () => {
  const before = [variable("outer", 0, 64), variable("inner", 8), variable("x", 64)];
  const translate = translation(before, [variable("outer", 32, 64), variable("x", 0)]);
  assertEquals([0, 8, 15, 40, 63, 64].map(translate), [32, 40, 47, 72, 95, 0]);
  const changed = translation(before, [variable("outer", 32, 72), variable("x", 0)]);
  assertEquals([0, 8, 63, 64].map(changed), [32, undefined, undefined, 0]);
});

Deno.test("names of one place that have separate places now have no one new address", () => {
  const both = [variable("x", 0), variable("alias", 0)];
  assertEquals(translation(both, [variable("x", 8), variable("alias", 8)])(0), 8);
  assertEquals(translation(both, [variable("x", 8), variable("alias", 16)])(0), undefined);
  assertEquals(translation(both, [variable("alias", 16)])(0), 16);
});

Deno.test("a variable that has become a function has no new address", () => {
  const after: SymbolOptions[] = [{ name: "x", type: Function, value: 0, size: 8 }];
  assertEquals(translation([variable("x", 0)], after)(0), undefined);
});

testWithCompilers(
  ["gcc"],
  "a carried pointer to the first variable of a section follows it behind a new one",
  async (folder) => {
    const flags = ["-O0"];
    const first = await compiledVersion(
      folder,
      "int x = 10; int *p = &x; int test(void) { return *p; }",
      { flags },
    );
    const second = await compiledVersion(
      folder,
      "int added = 99; int x = 10; int *p = &x; int test(void) { return *p + (added - 99); }",
      { flags },
    );
    using registry = new ModuleRegistry();
    registry.loadBytes("m", first);
    const module = registry.reload("m", { bytes: second, state: "carry" });
    assertEquals(module.getFunction("test", INT)!(), 10);
    assertEquals(module.carried?.oldPointers, []);
  },
);
