import { assertEquals } from "@std/assert";
import { exportPlace, fitOf, isRefused, type PlannedFile } from "../../src/image/compatibility.ts";
import { VersionPair } from "../../src/image/version_pair.ts";
import { planImage } from "../../src/image/plan.ts";
import { SectionType, SmfBuilder, type SymbolOptions, SymbolType } from "../../src/smf/mod.ts";
import { parseSmf } from "../../src/smf/file.ts";

const { Function, Data, Constant } = SymbolType;

/** A module of a page of code and a page of data with these symbols. */
function planned(...symbols: SymbolOptions[]): PlannedFile {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(64) });
  builder.section({ name: "rodata", type: SectionType.RoData, bytes: new Uint8Array(64) });
  builder.section({ name: "data", type: SectionType.Data, bytes: new Uint8Array(64) });
  for (const symbol of symbols) builder.symbol(symbol);
  const file = parseSmf(builder.build());
  return { file, plan: planImage(file, 4096, { got: 0, plt: 0 }) };
}

Deno.test("an export has a kind and the room up to the end of its image", () => {
  const file = planned(
    { name: "run", type: Function, value: 16, size: 4 },
    { name: "limit", type: Constant, value: 4096, size: 8 },
    { name: "total", type: Data, value: 8192 + 8, size: 8 },
    { name: "Point", type: SymbolType.Type },
    { name: "local", type: Function, binding: 0, value: 0, size: 4 },
    { name: "needed", type: Function, defined: false },
  );
  assertEquals(exportPlace(file, "run"), { kind: "function", index: 0, size: 4, room: 3 * 4096 - 16 });
  assertEquals(exportPlace(file, "limit"), { kind: "data", index: 1, size: 8, room: 2 * 4096 });
  assertEquals(exportPlace(file, "total")?.room, 4096 - 8);
  for (const name of ["Point", "local", "needed", "nothing"]) {
    assertEquals(exportPlace(file, name), undefined);
  }
});

Deno.test("a use fits, is missing or finds something else", () => {
  assertEquals(fitOf({ kind: "function", size: 0 }, { kind: "function", room: 1 }), "fits");
  assertEquals(fitOf({ kind: "data", size: 8 }, { kind: "data", room: 8 }), "fits");
  assertEquals(fitOf({ kind: "data", size: 9 }, { kind: "data", room: 8 }), "changed");
  assertEquals(fitOf({ kind: "function", size: 0 }, { kind: "data", room: 8 }), "changed");
  assertEquals(fitOf({ kind: "function", size: 0 }, undefined), "missing");
  assertEquals(["fits", "missing", "changed"].map((fit) => isRefused(fit as "fits", "strict")), [
    false,
    true,
    true,
  ]);
  assertEquals(["fits", "missing", "changed"].map((fit) => isRefused(fit as "fits", "allow")), [
    false,
    false,
    true,
  ]);
});

Deno.test("variables are carried by name, size, type and version", () => {
  const at = (offset: number, more: Partial<SymbolOptions> = {}): Omit<SymbolOptions, "name"> => {
    return { type: Data, value: 8192 + offset, size: 8, ...more };
  };
  const previous = planned(
    { name: "same", ...at(0) },
    { name: "larger", ...at(8) },
    { name: "retyped", ...at(16, { typeId: 1 }) },
    { name: "newer", ...at(24, { version: 1 }) },
    { name: "was_constant", type: Constant, value: 4096, size: 8 },
    { name: "gone", ...at(32) },
  );
  const candidate = planned(
    { name: "same", ...at(8) },
    { name: "larger", ...at(16, { size: 16 }) },
    { name: "retyped", ...at(32, { typeId: 2 }) },
    { name: "newer", ...at(40, { version: 2 }) },
    { name: "was_constant", ...at(48) },
    { name: "fresh", ...at(56) },
    { name: "constant", type: Constant, value: 4096, size: 8 },
  );
  assertEquals([...new VersionPair(previous, candidate).variables()], [
    { index: 0, name: "same", before: 0 },
    { index: 1, name: "larger", reason: "its size was 8, is 16" },
    { index: 2, name: "retyped", reason: "its type has changed" },
    { index: 3, name: "newer", reason: "its version was 1, is 2" },
    { index: 4, name: "was_constant", reason: "its type has changed" },
    { index: 5, name: "fresh", reason: "the old version has no variable of this name" },
  ]);
});

Deno.test("a name that two symbols share matches nothing", () => {
  const twice = (binding: number): SymbolOptions => ({
    name: "twice",
    type: Data,
    binding,
    value: 8192 + 8 * binding,
    size: 8,
  });
  const both = planned(twice(0), twice(1));
  assertEquals([...new VersionPair(both, planned(twice(1))).variables()].map(({ reason }) => reason), [
    "its name is not unique",
  ]);
  assertEquals([...new VersionPair(planned(twice(1)), both).variables()].map(({ reason }) => reason), [
    "its name is not unique",
    "its name is not unique",
  ]);
});
