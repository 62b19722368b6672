// The rules of homes, on files alone: which home follows which, and what is aimed at it.
import { assertEquals, assertMatch } from "@std/assert";
import { parseSmf } from "../../../mod.ts";
import { aimAt } from "../../../src/image/homes/aim.ts";
import { followHomes, type HomeFate, type HousedVersion } from "../../../src/image/homes/follow.ts";
import { HomePlaces } from "../../../src/image/homes/places.ts";
import { HomesInRange } from "../../../src/image/homes/homes_in_range.ts";
import { Ranges } from "../../../src/image/homes/ranges.ts";
import { planImage } from "../../../src/image/plan.ts";
import { relocatorTo } from "../../../src/image/relocation/relocate.ts";
import { scanRelocations } from "../../../src/image/relocation/scan.ts";
import { VersionPair } from "../../../src/image/version_pair.ts";
import { randomFrom } from "../../support/testing.ts";
import { type Parts, version } from "../../support/versions.ts";

/** A version with one home for each variable. */
function housed(parts: Parts): HousedVersion {
  const file = parseSmf(version({ functions: { answer: 1, other: 2 }, ...parts, homes: true }));
  const { gotCount, pltCount } = scanRelocations(file);
  const plan = planImage(file, 4096, { got: gotCount, plt: pltCount });
  return { file, plan, homes: file.homes(), initialAt: () => undefined };
}

function follow(before: HousedVersion, after: HousedVersion): Record<string, string> {
  const places = HomePlaces.of(after);
  const describe = (fate: HomeFate): string =>
    fate.fate === "fresh" ? fate.reason : `${fate.fate} ${fate.before}`;
  return Object.fromEntries(
    followHomes(new VersionPair(before, after, true), before, after).map((fate, home) => [
      after.file.symbols.name(places.variables[home][0]),
      describe(fate),
    ]),
  );
}

Deno.test("homes follow by the names, sizes and places of their variables", () => {
  const before = housed({ data: { a: [1n], b: [2n, 3n], gone: [4n], c: [5n] } });
  const after = housed({ data: { c: [5n], added: [7n], b: [2n], a: [9n] } });
  assertEquals(follow(before, after), {
    c: "kept 3",
    added: "the old version has no variable of this name",
    b: "its size was 16, is 8",
    a: "kept 0",
  });
});

Deno.test("a home with the address of a place inside a function is fresh", () => {
  const before = housed({ data: { table: ["answer", "other"], label: ["answer+1"], own: ["table+8"] } });
  const after = housed({ data: { table: ["answer", "other"], label: ["answer"], own: ["table+8"] } });
  const found = follow(before, after);
  assertMatch(found.label, /inside a function/);
  assertEquals([found.table, found.own], ["kept 0", "kept 2"]);
});

Deno.test("homes of permuted files belong to the variables of the same names", () => {
  const next = randomFrom(18), random = () => (next() >>> 0) / 2 ** 32;
  for (let round = 0; round < 50; round++) {
    const names = Array.from({ length: 2 + Math.floor(random() * 20) }, (_, index) => `v${index}`);
    const sizeOf = new Map(names.map((name) => [name, 1 + Math.floor(random() * 3)]));
    const data = (order: readonly string[]) =>
      Object.fromEntries(order.map((name) => [name, Array.from({ length: sizeOf.get(name)! }, () => 1n)]));
    const shuffled = names.toSorted(() => random() - 0.5);
    const kept = shuffled.filter(() => random() < 0.8);
    const before = housed({ data: data(names) }),
      after = housed({
        data: data([...kept, "x", "y"].map((name) => {
          if (!sizeOf.has(name)) sizeOf.set(name, 1);
          return name;
        })),
      });
    const found = follow(before, after);
    for (const name of kept) assertEquals(found[name], `kept ${names.indexOf(name)}`);
    assertMatch(found.x, /no variable of this name/);
  }
});

Deno.test("versions that share what follows from their shape find the same fates as versions that share nothing", () => {
  const next = randomFrom(19), random = (below: number) => (next() >>> 0) % below;
  for (let round = 0; round < 60; round++) {
    const data: Record<string, (bigint | string)[]> = {};
    const details: Record<string, { typeId?: number; version?: number }> = {};
    for (let index = 0; index < 6; index++) data[`v${index}`] = [BigInt(index)];
    data["n.0"] = [1n];
    let before: Parts = { data: { ...data }, details: { ...details } };
    let chained = housed(before);
    for (let reload = 0; reload < 8; reload++) {
      const name = `v${random(6)}`;
      const change = random(12);
      if (change === 0) data[name] = [1n, 2n];
      else if (change === 1) data[name] = [`answer+${random(2)}`];
      else if (change === 2) details[name] = { typeId: random(3) };
      else if (change === 3) details[name] = { version: random(3) };
      else if (change === 4) delete data[name];
      else if (change === 5) data[name] = [BigInt(random(100))];
      const after: Parts = { data: { ...data }, details: { ...details } };
      const candidate = housed(after);
      assertEquals(follow(chained, candidate), follow(housed(before), housed(after)), `${round} ${reload}`);
      [before, chained] = [after, candidate];
    }
  }
});

Deno.test("homes are found by their places, whatever their order", () => {
  const version = housed({ data: { a: [1n], b: [1n, 2n], c: [3n] } });
  const homes = new HomesInRange(HomePlaces.of(version));
  const first = homes.starts[0];
  const found = [-1, 0, 7, 8, 23, 24, 31, 32].map((offset) => homes.at(first + offset));
  assertEquals(found, [-1, 0, 0, 1, 1, 2, 2, -1]);
});

Deno.test("what leads into kept homes is aimed there, and nothing else", () => {
  const { file, plan, homes } = housed({
    data: { kept: [5n, 6n], fresh: ["kept", "kept+8", "own", 7n], own: ["kept+16"] },
  });
  const places = HomePlaces.of({ file, plan, homes });
  const needs = scanRelocations(file);
  const to = 0x7000_0000_0000n;
  const at = (...addresses: number[]) =>
    aimAt({ file, plan, homes }, places, needs, Float64Array.from(addresses));
  const aim = at(Number(to), 0, 0);
  assertEquals(aim.constants, []);
  const bytes = new Uint8Array(plan.size);
  relocatorTo(bytes, file, plan, needs, 0x1000_0000n, aim)({
    relocations: aim.variables,
    slots: aim.slots,
  });
  const word = (home: number, index: number) =>
    new DataView(bytes.buffer).getBigUint64(places.place(home) + 8 * index, true);
  assertEquals([0, 1, 2, 3].map((index) => word(1, index)), [to, to + 8n, 0n, 0n]);
  // One past the end belongs to the home that the relocation names, not to what lies there.
  assertEquals(word(2, 0), to + 16n);
  // References inside a home that nobody uses are left alone.
  assertEquals(at(Number(to), 0, Number(to)).variables.length, 3);
  assertEquals(at(0, 0, 0).symbols.length, 0);
});

Deno.test("ranges are found by the numbers in them", () => {
  const ranges = new Ranges([{ first: 20, end: 30 }, { first: 0, end: 10 }, { first: 10, end: 12 }]);
  assertEquals(ranges.all, { first: 0, end: 30 });
  for (const [value, first] of [[0, 0], [9, 0], [10, 10], [11, 10], [20, 20], [29, 20]]) {
    assertEquals(ranges.find(value)?.first, first);
  }
  for (const value of [-1, 12, 19, 30]) assertEquals(ranges.find(value), undefined);
  assertEquals(new Ranges([]).find(0), undefined);
});
