// Tests that the oracle and the loader agree on every undamaged seed.
import { assert, assertEquals } from "@std/assert";
import { objectSeeds, tryLinking } from "./objects.ts";
import { moduleSeeds } from "./seeds.ts";
import { Harness } from "./harness.ts";
import { HAS_ZSTD } from "../support/deno_version.ts";

Deno.test("every seed loads as the format says, except those that must be refused", () => {
  using harness = new Harness();
  const seeds = moduleSeeds();
  const refused = seeds.filter(({ bytes }) => !harness.try(bytes).loaded).map(({ name }) => name);
  // Seeds for other systems are tried in plain memory.
  const mayFail = /^(row|refused_|importer|variables-)/;
  assertEquals(refused.filter((name) => !mayFail.test(name) && (HAS_ZSTD || name !== "zstd.smf")), []);
  assert(refused.length < seeds.length * 2 / 3, `${refused.length} of ${seeds.length} refused`);
});

Deno.test("every object links to a module that loads or has undefined symbols", () => {
  using harness = new Harness();
  for (const { name, bytes } of objectSeeds()) {
    const { loaded, features } = tryLinking(bytes, harness);
    assert(loaded || /UndefinedSymbol|the system refuses/.test(features[0]), `${name}: ${features[0]}`);
  }
});
