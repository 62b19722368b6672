// Virtual tables: objects of an old version must offer new code each function where it expects it.
import { assertEquals } from "@std/assert";
import { parseSmf } from "../../../mod.ts";
import type { HousedVersion } from "../../../src/image/homes/fates.ts";
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
