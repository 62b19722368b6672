// The judge and the loader agree on every seed, before anything is damaged.
import { assert, assertEquals } from "@std/assert";
import { objectSeeds, tryLinking } from "./objects.ts";
import { moduleSeeds } from "./seeds.ts";
import { Bench } from "./trial.ts";

Deno.test("every seed loads as the format says, or is one of those that must not", () => {
  using bench = new Bench();
  const seeds = moduleSeeds();
  const refused = seeds.filter(({ bytes }) => !bench.try(bytes).loaded).map(({ name }) => name);
  // What is for another system is tried in plain memory.
  const mayFail = /^(row|refused_|importer|variables-)/;
  assertEquals(refused.filter((name) => !mayFail.test(name)), []);
  assert(refused.length < seeds.length * 2 / 3, `${refused.length} of ${seeds.length} refused`);
});

Deno.test("every object links to a module that loads, or lacks what nobody answers", () => {
  using bench = new Bench();
  for (const { name, bytes } of objectSeeds()) {
    const { loaded, features } = tryLinking(bytes, bench);
    assert(loaded || /UndefinedSymbol|the system refuses/.test(features[0]), `${name}: ${features[0]}`);
  }
});
