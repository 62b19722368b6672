// Virtual tables: objects of an old version must offer new code each function where it expects it.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { parseSmf } from "../../../mod.ts";
import type { HousedVersion } from "../../../src/image/homes/fates.ts";
import { isNumberedTable } from "../../../src/image/homes/class_tables.ts";
import { type ComparedTable, compareTables } from "../../../src/image/homes/compare_tables.ts";
import { changedVtables } from "../../../src/image/homes/follow_tables.ts";
import { planImage } from "../../../src/image/plan.ts";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { version } from "../../support/versions.ts";

function withTable(...slots: readonly (bigint | string)[]): HousedVersion {
  const methods = [
    "_ZN5shape4areaEv",
    "_ZN5shape4sizeEv",
    "_ZN6square4areaEv",
    "_ZN5shape4areaEi",
    "_ZN5shapeD1Ev",
    "_ZNK5shape4areaEv",
    "_ZN5shapeD2Ev",
    "_ZThn16_N6square4areaEv",
  ];
  const functions = Object.fromEntries(methods.map((name, index) => [name, index]));
  const file = parseSmf(version({ functions, data: { _ZTV6square: [0n, 0n, ...slots] } }));
  const { gotCount, pltCount } = scanRelocations(file);
  return { file, plan: planImage(file, 4096, { got: gotCount, plt: pltCount }), initialAt: () => undefined };
}

function changed(before: HousedVersion, after: HousedVersion): string[] {
  return changedVtables(before, after).map(({ table }) => table);
}

const [AREA, SIZE, OVERRIDE, OVERLOAD, END] = [
  "_ZN5shape4areaEv",
  "_ZN5shape4sizeEv",
  "_ZN6square4areaEv",
  "_ZN5shape4areaEi",
  "_ZN5shapeD1Ev",
];

Deno.test("a table that has the same methods in the same places is the same", () => {
  const before = withTable(AREA, SIZE, END);
  for (const after of [[AREA, SIZE, END], [OVERRIDE, SIZE, END], ["__cxa_pure_virtual", SIZE, END]]) {
    assertEquals(changed(before, withTable(...after)), [], after.join());
  }
});

Deno.test("a method that is added, removed, moved or has other parameters changes the table", () => {
  const before = withTable(AREA, SIZE, END);
  for (
    const after of [[AREA, SIZE, END, OVERLOAD], [AREA, END], [SIZE, AREA, END], [OVERLOAD, SIZE, END], [
      AREA,
      SIZE,
      0n,
    ]]
  ) {
    assertEquals(changed(before, withTable(...after)), ["_ZTV6square"], after.join());
  }
  assertEquals(changed(before, withTable()), ["_ZTV6square"]);
});

Deno.test("qualifiers are part of a method, thunks and the kind of a complete destructor are not", () => {
  const before = withTable(AREA, SIZE, END);
  assertEquals(changed(before, withTable("_ZNK5shape4areaEv", SIZE, END)), ["_ZTV6square"]);
  assertEquals(changed(before, withTable("_ZThn16_N6square4areaEv", SIZE, "_ZN5shapeD2Ev")), []);
});

const table = (...words: readonly (string | readonly string[] | undefined)[]): ComparedTable => ({
  index: 1,
  name: "_ZTV1a",
  start: 0,
  size: words.length * 8,
  words: new Map(
    words.flatMap((names, at) =>
      names === undefined
        ? []
        : [[at * 8, { kind: "function", names: typeof names === "string" ? [names] : names } as const]]
    ),
  ),
  bytes: (offset, size) => new Uint8Array(size).fill(offset),
});

Deno.test("functions that a compiler folded stay as long as each slot has what it may have meant", () => {
  const [f, g, h] = ["_ZN1a1fEv", "_ZN1a1gEv", "_ZN1a1hEv"];
  const folded = [f, g];
  const cases: [before: ComparedTable, after: ComparedTable, problem: string | undefined][] = [
    [table(f, g), table(folded, folded), undefined],
    [table(folded, folded), table(folded, folded), undefined],
    [table(folded, folded), table(f, g), `slot 0 was one of ${f} or ${g}, is ${f}`],
    [table(folded, folded), table([f, g, h], [f, g, h]), undefined],
    [table(folded, g), table(h, g), `slot 0 was ${f} or ${g}, is ${h}`],
  ];
  for (const [before, after, problem] of cases) {
    assertEquals(compareTables(before, after, true)?.problem, problem);
  }
  assertStringIncludes(compareTables(table(folded), table(f), true)!.hint, "-fno-ipa-icf");
});

Deno.test("tables grow at their end only, and say what differs", () => {
  const [f, g, h] = ["_ZN1a1fEv", "_ZN1a1gEv", "_ZN1a1hEv"];
  const before = table(undefined, undefined, f, g);
  const problem = (after: ComparedTable, mayGrow = true): string | undefined =>
    compareTables(before, after, mayGrow)?.problem;
  assertEquals(problem(table(undefined, undefined, f, g, h)), undefined);
  assertEquals(problem(table(undefined, undefined, f, g, h), false), `slot 2 is new: ${h}`);
  assertEquals(problem(table(undefined, undefined, f, h, g)), `slot 1 was ${g}, is ${h}`);
  assertEquals(problem(table(undefined, undefined, f)), `slot 1 was ${g}, is gone`);
  assertEquals(
    problem(table(undefined, undefined, f, undefined)),
    `${g} was removed in front of tables of other bases of the class`,
  );
  assertEquals(
    problem(table(undefined, undefined, f, g, undefined)),
    "the base classes are others, or have other places",
  );
  const moved = { ...before, bytes: () => new Uint8Array(8).fill(9) };
  assertEquals(problem(moved), "the base classes are others, or have other places");
  const { was, is } = compareTables(before, table(undefined, undefined, f, h), true)!;
  assertEquals([was, is], [g, h]);
});

Deno.test("names that compilers number are no identity of a class", () => {
  for (
    const name of [
      "_ZTVZL6secondvE3one_0",
      "_ZTIZ1fvE1a__10_",
      "_ZTVZZ4mainENKUlvE_clEvE1A",
      "_ZTVN1aUt_E",
      "_ZTVZZ4mainENKUlvE0_clEvE1A",
    ]
  ) {
    assertEquals(isNumberedTable(name), true, name);
  }
  for (
    const name of [
      "_ZTV4Util",
      "_ZTVN4Util8SomeBaseE",
      "_ZTV3a_0",
      "_ZTC1D0_2VB",
      "_ZTVZ4mainE1A",
      "_ZTVN12_GLOBAL__N_11aE",
    ]
  ) {
    assertEquals(isNumberedTable(name), false, name);
  }
});

Deno.test("gcc leaves the slots of destructors of abstract classes empty", () => {
  const [f, end] = ["_ZN1a1fEv", "_ZN1aD1Ev"];
  const empty = { ...table(f, undefined), bytes: (_: number, size: number) => new Uint8Array(size) };
  for (const [before, after] of [[table(f, end), empty], [empty, table(f, end)]]) {
    assertEquals(compareTables(before, after, true), undefined);
  }
  assertEquals(compareTables(table(f, f), empty, true)?.was, f);
  assertEquals(compareTables(table(f, end), table(f, undefined), true)?.was, end);
});
