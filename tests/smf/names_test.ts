import { assert, assertEquals } from "@std/assert";
import { hashName } from "../../src/smf/hash.ts";
import { type Named, NameIndex } from "../../src/smf/names.ts";

/** Symbols that are nothing but names, and how often two of them were compared. */
function symbolsOf(names: readonly string[], exported: (index: number) => boolean = () => true) {
  const counts = { compared: 0 };
  const symbols: Named = {
    length: names.length,
    name: (index) => names[index],
    sameName(a, b) {
      counts.compared++;
      return names[a] === names[b];
    },
    isNamed: (index, name) => names[index] === new TextDecoder().decode(name),
    isNamedAscii: (index, name) => names[index] === name,
    isExport: exported,
  };
  return { symbols, counts };
}

const wordsOf = (hashes: readonly number[]) => Uint32Array.from(hashes.flatMap((hash) => [0, hash]));

Deno.test("the index finds first symbols and exports, and misses what is not there", () => {
  const names = ["a", "b", "a", "c"];
  const { symbols } = symbolsOf(names, (index) => index === 2 || index === 3);
  const index = new NameIndex(symbols, wordsOf(names.map(hashName)), 2);
  assertEquals([index.find("a", false), index.find("a", true)], [0, 2]);
  assertEquals([index.find("b", false), index.find("b", true)], [1, -1]);
  assertEquals([index.find("c", false), index.find("c", true)], [3, 3]);
  assertEquals([index.find("d", false), index.find("", true)], [-1, -1]);
  assertEquals(index.duplicate, undefined);
});

Deno.test("names beyond ASCII are found, what is no text is not", () => {
  const names = ["größe", "a\u0080", "plain", "日本"];
  const { symbols } = symbolsOf(names);
  const index = new NameIndex(symbols, wordsOf(names.map((name) => hashName(name))), 2);
  names.forEach((name, i) => assertEquals(index.find(name, true), i));
  assertEquals(["\ud800", "plain\0", "gro\u0308ße"].map((name) => index.find(name, false)), [-1, -1, -1]);
});

Deno.test("an empty index has nothing", () => {
  const { symbols } = symbolsOf([]);
  assertEquals(new NameIndex(symbols, new Uint32Array(0), 2).find("a", false), -1);
});

Deno.test("names of one hash cost a bounded number of comparisons", () => {
  const names = Array.from({ length: 10_000 }, (_, i) => `n${i}`);
  const { symbols, counts } = symbolsOf(names);
  const index = new NameIndex(symbols, wordsOf(names.map(() => 0x1234_5678)), 2);
  assert(counts.compared < names.length * 20, `${counts.compared} comparisons`);
  names.forEach((name, i) => assertEquals(index.find(name, true), i));
  assertEquals(index.find("absent", false), -1);
});

Deno.test("symbols that all have one name cost one comparison each", () => {
  const names = Array.from({ length: 10_000 }, () => "same");
  const { symbols, counts } = symbolsOf(names, () => false);
  const index = new NameIndex(symbols, wordsOf(names.map(hashName)), 2);
  assert(counts.compared <= names.length, `${counts.compared} comparisons`);
  assertEquals([index.find("same", false), index.find("same", true)], [0, -1]);
});

Deno.test("duplicate exports are found among names of one hash too", () => {
  const names = [...Array.from({ length: 2000 }, (_, i) => `n${i}`), "n7"];
  const { symbols } = symbolsOf(names);
  assertEquals(new NameIndex(symbols, wordsOf(names.map(() => 1)), 2).duplicate, [7, 2000]);
  const few = ["a", "b", "a"];
  assertEquals(new NameIndex(symbolsOf(few).symbols, wordsOf(few.map(hashName)), 2).duplicate, [0, 2]);
});
