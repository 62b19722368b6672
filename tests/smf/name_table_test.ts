import { assertEquals } from "@std/assert";
import { NameTable } from "../../src/smf/name_table.ts";
import { collidingNames } from "../support/collisions.ts";
import { localSymbols } from "../support/local_symbols.ts";
import { randomFrom } from "../support/testing.ts";

/** Adds all names, and compares the table with a map. */
function check(names: readonly string[], absent: readonly string[]): void {
  const symbols = localSymbols(names).symbols,
    table = new NameTable(symbols),
    map = new Map<string, number>();
  names.forEach((name, index) => {
    assertEquals(table.add(index), map.get(name) ?? -1);
    if (!map.has(name)) map.set(name, index);
  });
  const all = [...names, ...absent], others = localSymbols(all).symbols;
  all.forEach((name, index) => {
    assertEquals(table.find(name), map.get(name) ?? -1, name);
    assertEquals(table.findLike(others, index), map.get(name) ?? -1, name);
  });
}

Deno.test("a symbol is found by its name, which the first that is added keeps", () => {
  const next = randomFrom(7);
  check(Array.from({ length: 2000 }, () => `n${next() % 1500}`), ["", "absent", "größe"]);
  check(["größe", "", "a\u0080", "größe"], ["gro\u0308ße"]);
  check([], ["a"]);
  assertEquals(new NameTable(localSymbols(["n"]).symbols).find("n\0"), -1);
});

Deno.test("names with the same hash are told apart, however many there are", () => {
  const names = collidingNames(9);
  const [first, second] = [names.slice(0, 250), names.slice(250)];
  check([...first, ...first.slice(0, 20)], second);
});
