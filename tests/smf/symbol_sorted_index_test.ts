import { assert, assertEquals } from "@std/assert";
import { hashName } from "../../src/smf/hash.ts";
import { SymbolSortedIndex } from "../../src/smf/symbol_sorted_index.ts";
import { SymbolKey } from "../../src/smf/symbol_key.ts";
import { symbolsOf } from "../support/names_of.ts";

/** Sorts names and makes an index of them. */
function orderedOf(names: readonly string[], hash = hashName) {
  const sorted = names.toSorted((a, b) => hash(a) - hash(b) || (a < b ? -1 : 1));
  return { sorted, table: new SymbolSortedIndex(symbolsOf(sorted, hash).records, sorted.length) };
}

function find(table: SymbolSortedIndex, name: string): number {
  const key = new SymbolKey();
  return key.set(name) ? table.find(key) : -1;
}

for (const count of [0, 1, 2, 3, 10, 1000, 70_000]) {
  Deno.test(`every one of ${count} names is found, and no other, by few searches and by many`, () => {
    const { sorted, table } = orderedOf(Array.from({ length: count }, (_, i) => `n${i}`));
    const few = Math.min(10, count);
    for (let i = 0; i < few; i++) assertEquals(find(table, sorted[count - 1 - i]), count - 1 - i);
    for (let i = 0; i < 10; i++) assertEquals(find(table, `m${i}`), -1);
    for (let i = 0; i < count; i++) assert(find(table, sorted[i]) === i, sorted[i]);
    for (let i = 0; i < count; i++) assert(find(table, `m${i}`) === -1);
    assertEquals(table.length, count);
  });
}

Deno.test("names with the same hash are told apart", () => {
  const { sorted, table } = orderedOf(["liquid", "a", "costarring", "b", "declinate", "macallums"]);
  for (let turn = 0; turn < 3; turn++) {
    sorted.forEach((name, i) => assertEquals(find(table, name), i));
    assertEquals(find(table, "liquids"), -1);
  }
});

Deno.test("symbols after the sorted ones are not searched", () => {
  const { sorted } = orderedOf(["a", "b", "c", "d"]);
  const table = new SymbolSortedIndex(symbolsOf(sorted).records, 2);
  for (let turn = 0; turn < 3; turn++) {
    assertEquals(sorted.map((name) => find(table, name)), [0, 1, -1, -1]);
  }
});

Deno.test("a search among names with the same hash takes logarithmic time", () => {
  const same = () => hashName("n77");
  const { sorted, table } = orderedOf(Array.from({ length: 10_000 }, (_, i) => `n${i}`), same);
  let compared = 0;
  class Counting extends SymbolKey {
    override compare(strings: Uint8Array, start: number): number {
      compared++;
      return super.compare(strings, start);
    }
  }
  const key = new Counting();
  assert(key.set("n77"));
  for (let turn = 0; turn < 1000; turn++) assertEquals(table.find(key), sorted.indexOf("n77"));
  assert(compared <= 14 * 1000, `${compared} comparisons`);
});

Deno.test("every search in a buffer that changed after the check ends", () => {
  const { sorted, table } = orderedOf(Array.from({ length: 500 }, (_, i) => `n${i}`));
  const { records } = symbolsOf(sorted);
  for (const value of [0, 0xffff_ffff, 0x8000_0000]) {
    const changed = new SymbolSortedIndex(records, sorted.length);
    records.words.fill(value);
    for (const name of sorted) assertEquals(find(changed, name), -1);
  }
  assertEquals(find(table, sorted[7]), 7);
});
