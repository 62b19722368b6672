import { assert, assertEquals } from "@std/assert";
import { sortedByHash } from "../../src/link/exports.ts";
import { hashName } from "../../src/smf/hash.ts";
import { collidingNames } from "../support/collisions.ts";

const names = (exports: readonly { name: string }[]) => exports.map(({ name }) => name);
const named = (names: readonly string[]) => names.map((name) => ({ name }));

Deno.test("exports are written in ascending order of their names' hashes", () => {
  const sorted = sortedByHash(named(Array.from({ length: 1000 }, (_, i) => `f${i}`)));
  assertEquals(new Set(names(sorted)).size, 1000);
  for (let i = 1; i < 1000; i++) assert(hashName(sorted[i - 1].name) < hashName(sorted[i].name));
});

Deno.test("names of one hash are written in ascending order of their bytes", () => {
  const colliding = collidingNames(3).sort();
  assertEquals(names(sortedByHash(named(colliding.toReversed()))), colliding);
  assertEquals(names(sortedByHash(named(["liquid", "costarring"]))), ["costarring", "liquid"]);
});

Deno.test("the order does not depend on the one before", () => {
  const some = ["b", "größe", "", "日本", "a", "liquid", "costarring"];
  assertEquals(sortedByHash(named(some)), sortedByHash(named(some.toReversed())));
  assertEquals(sortedByHash([]), []);
});
