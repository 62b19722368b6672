// What versions share: only those have one shape whose homes hold the same, tables of classes included.
import { assert, assertEquals } from "@std/assert";
import { Binding, parseSmf, SectionType, SymbolType } from "../../../src/smf/mod.ts";
import { followHomes, type HousedVersion } from "../../../src/image/homes/follow.ts";
import { HomePlaces } from "../../../src/image/homes/places.ts";
import { planImage } from "../../../src/image/plan.ts";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { VersionPair } from "../../../src/image/version_pair.ts";
import { HOMES_SECTION, homesBytes } from "../../../src/smf/homes.ts";
import { hostBuilder, machineCode } from "../../support/testing.ts";

const PAGE = 4096, ROOM = 64;

/** A version with a home of 64 bytes for tables of classes, constants without one behind it, and two tables. */
function withTables(places: { readonly _ZTI1a: number; readonly _ZTI1b: number }, answer = 1): HousedVersion {
  const builder = hostBuilder();
  const code = machineCode.returns(answer);
  builder.section({ name: "code", type: SectionType.Code, bytes: code });
  builder.symbol({ name: "answer", type: SymbolType.Function, size: code.length });
  builder.section({
    name: "constants",
    type: SectionType.RoData,
    bytes: new Uint8Array(2 * ROOM),
    alignment: 8,
  });
  for (const [name, place] of Object.entries(places)) {
    builder.symbol({ name, type: SymbolType.Data, value: PAGE + place, size: 16 });
  }
  const home = builder.symbol({ name: ".home", type: SymbolType.Data, binding: Binding.Local, value: PAGE });
  const bytes = homesBytes([{ symbol: home, size: ROOM, alignment: 8 }]);
  builder.section({ name: HOMES_SECTION, type: SectionType.Homes, bytes });
  const file = parseSmf(builder.build());
  const { gotCount, pltCount } = scanRelocations(file);
  const plan = planImage(file, PAGE, { got: gotCount, plt: pltCount });
  return { file, plan, homes: file.homes(), initialAt: () => undefined };
}

function namesIn(version: HousedVersion): string[] {
  return HomePlaces.of(version).variables[0].map((index) => version.file.symbols.name(index));
}

function fateOf(before: HousedVersion, after: HousedVersion): string {
  const [fate] = followHomes(new VersionPair(before, after, true), before, after);
  return fate.fate === "fresh" ? fate.reason : fate.fate;
}

Deno.test("versions whose tables of classes have the same places share a shape", () => {
  const before = withTables({ _ZTI1a: 0, _ZTI1b: ROOM }), after = withTables({ _ZTI1a: 0, _ZTI1b: ROOM }, 2);
  assertEquals(fateOf(before, after), "kept");
  assert(HomePlaces.of(before).shape === HomePlaces.of(after).shape);
});

Deno.test("a table that comes into a home, leaves it or moves in it is no part of the shape of before", () => {
  const other = "its section holds other tables: compile with -fdata-sections";
  const one = { _ZTI1a: 0, _ZTI1b: ROOM }, both = { _ZTI1a: 0, _ZTI1b: 16 };
  for (
    const [from, to, names] of [
      [one, both, ["_ZTI1a", "_ZTI1b"]],
      [both, one, ["_ZTI1a"]],
      [both, { _ZTI1a: 0, _ZTI1b: 32 }, ["_ZTI1a", "_ZTI1b"]],
    ] as const
  ) {
    const before = withTables(from), after = withTables(to);
    assertEquals([fateOf(before, after), namesIn(after)], [other, [...names]]);
  }
});
