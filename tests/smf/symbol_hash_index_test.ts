import { assert, assertEquals } from "@std/assert";
import { hashName } from "../../src/smf/hash.ts";
import { SymbolHashIndex } from "../../src/smf/symbol_hash_index.ts";
import { SymbolKey } from "../../src/smf/symbol_key.ts";
import { symbolsOf } from "../support/names_of.ts";

/** Returns the symbol with a name, or -1. */
function find(index: SymbolHashIndex, name: string, exported: boolean): number {
  const key = new SymbolKey();
  return key.set(name) ? index.find(key, exported) : -1;
}

Deno.test("the index finds first symbols and exports, and no other name", () => {
  const names = ["a", "b", "a", "c"];
  const { symbols, records } = symbolsOf(names, hashName, (index) => index === 2 || index === 3);
  const index = new SymbolHashIndex(symbols, records);
  assertEquals([find(index, "a", false), find(index, "a", true)], [0, 2]);
  assertEquals([find(index, "b", false), find(index, "b", true)], [1, -1]);
  assertEquals([find(index, "c", false), find(index, "c", true)], [3, 3]);
  assertEquals([find(index, "d", false), find(index, "", true)], [-1, -1]);
  assertEquals(index.duplicate, undefined);
});

Deno.test("names beyond ASCII are found, ill-formed strings are not", () => {
  const names = ["größe", "a\u0080", "plain", "日本"];
  const { symbols, records } = symbolsOf(names);
  const index = new SymbolHashIndex(symbols, records);
  names.forEach((name, i) => assertEquals(find(index, name, true), i));
  assertEquals(["\ud800", "plain\0", "gro\u0308ße"].map((name) => find(index, name, false)), [-1, -1, -1]);
});

Deno.test("an empty index finds nothing", () => {
  const { symbols, records } = symbolsOf([]);
  assertEquals(find(new SymbolHashIndex(symbols, records), "a", false), -1);
});

Deno.test("names with the same hash cost a bounded number of comparisons", () => {
  const names = Array.from({ length: 10_000 }, (_, i) => `n${i}`);
  const { symbols, records, counts } = symbolsOf(names, () => hashName("n5"));
  const index = new SymbolHashIndex(symbols, records);
  assert(counts.compared < names.length * 20, `${counts.compared} comparisons`);
  names.forEach((name, i) => assertEquals(find(index, name, true), i));
  assertEquals(find(index, "absent", false), -1);
});

Deno.test("symbols with the same name cost one comparison each", () => {
  const names = Array.from({ length: 10_000 }, () => "same");
  const { symbols, records, counts } = symbolsOf(names, hashName, () => false);
  const index = new SymbolHashIndex(symbols, records);
  assert(counts.compared <= names.length, `${counts.compared} comparisons`);
  assertEquals([find(index, "same", false), find(index, "same", true)], [0, -1]);
});

Deno.test("duplicate exports are found among names with the same hash too", () => {
  const names = [...Array.from({ length: 2000 }, (_, i) => `n${i}`), "n7"];
  const many = symbolsOf(names, () => 1);
  assertEquals(new SymbolHashIndex(many.symbols, many.records).duplicate, [7, 2000]);
  const few = symbolsOf(["a", "b", "a"]);
  assertEquals(new SymbolHashIndex(few.symbols, few.records).duplicate, [0, 2]);
});

Deno.test("an index that starts at a symbol does not find symbols before it", () => {
  const names = ["a", "b", "b", "c", "a"];
  for (const hash of [hashName, () => hashName("a")]) {
    const { symbols, records } = symbolsOf(names, hash, () => false);
    const index = new SymbolHashIndex(symbols, records, 2);
    assertEquals([find(index, "a", false), find(index, "a", true)], [4, -1]);
    if (hash === hashName) assertEquals([find(index, "b", false), find(index, "c", false)], [2, 3]);
    assertEquals(find(new SymbolHashIndex(symbols, records, 5), "a", false), -1);
  }
});
