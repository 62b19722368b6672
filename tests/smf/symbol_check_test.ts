import { assertEquals } from "@std/assert";
import { rawFile, type RawSymbol } from "../../fixtures/raw.ts";
import { sortedByHash } from "../../src/link/exports.ts";
import type { LoadError } from "../../src/errors.ts";
import { Binding } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import type { LayoutName } from "../../src/smf/layout.ts";
import { SYMBOL_WORDS } from "../../src/smf/symbol.ts";
import { checkSymbols, type SymbolCounts } from "../../src/smf/symbol_check.ts";
import { collidingNames } from "../support/collisions.ts";
import { LAYOUT_NAMES } from "../support/sample_files.ts";

const CODE = { name: "code", section_type: 1, flags: 5, alignment: 1, bytes: new Uint8Array(64).fill(0xc3) };
const symbol = (name: string, more: Partial<RawSymbol> = {}): RawSymbol => ({
  name,
  sym_type: 1,
  binding: Binding.Global,
  size: 1,
  ...more,
});
const exportsOf = (names: readonly string[]): RawSymbol[] => names.map((name) => symbol(name));
const sorted = (names: readonly string[]): RawSymbol[] => sortedByHash(exportsOf(names));
const letters = [..."abcdefgh"];

/** What the check counts: Global, defined of these, and of these in order. */
function counts(symbols: readonly RawSymbol[], layout: LayoutName = "H96"): number[] {
  const { symbols: table } = parseSmf(rawFile({ layout, sections: [CODE], symbols }));
  const strings = table.source.bytes.subarray(table.words.byteLength);
  const result: SymbolCounts = checkSymbols(table.words, strings, table.source.layout, 0);
  return [result.globals, result.defined, result.ordered];
}

for (const layout of LAYOUT_NAMES) {
  Deno.test(`${layout}: exports that ascend by hash at the start of a table are counted`, () => {
    assertEquals(counts(sorted(letters), layout), [8, 8, 8]);
    assertEquals(counts([...sorted(letters), symbol("i", { size: 0 })], layout), [9, 8, 8]);
    assertEquals(counts([...sorted(letters), symbol("a", { binding: Binding.Local })], layout), [8, 8, 8]);
    assertEquals(counts([], layout), [0, 0, 0]);
  });
}

Deno.test("a symbol that is no export, or does not ascend, ends the order", () => {
  const ascending = sorted(letters);
  for (
    const other of [
      symbol("x", { binding: Binding.Local }),
      symbol("x", { binding: Binding.Weak }),
      symbol("x", { size: 0 }),
    ]
  ) {
    const [, defined, ordered] = counts(ascending.toSpliced(5, 0, other));
    assertEquals([defined, ordered], [8, 5]);
    assertEquals(counts([other, ...ascending])[2], 0);
  }
  assertEquals(counts(ascending.toReversed()), [8, 8, 1]);
  // What comes behind it may ascend again: it is not at the start.
  assertEquals(counts([...ascending.slice(4), ...ascending.slice(0, 4)]), [8, 8, 4]);
});

Deno.test("each of value, size and visibility makes an export", () => {
  const bare = { size: 0, value: 0, visibility: 0 };
  const big = [{ value: 1 }, { value: 2 ** 40 }, { size: 1 }, { size: 2 ** 40 }, { visibility: 1 }];
  for (const more of big) assertEquals(counts([symbol("a", { ...bare, ...more })]), [1, 1, 1]);
  assertEquals(counts([symbol("a", bare)]), [1, 0, 0]);
});

Deno.test("weak symbols count that have neither value, size nor visibility", () => {
  const weak = { binding: Binding.Weak };
  const { symbols: table } = parseSmf(rawFile({
    layout: "H96",
    sections: [CODE],
    symbols: [
      symbol("a", { ...weak, size: 0 }),
      symbol("b", weak),
      symbol("c", { ...weak, size: 0, visibility: 1 }),
      symbol("d", { size: 0 }),
      symbol("e", { size: 0, binding: Binding.Local }),
    ],
  }));
  const strings = table.source.bytes.subarray(table.words.byteLength);
  assertEquals(checkSymbols(table.words, strings, table.source.layout, 0), {
    globals: 1,
    defined: 0,
    weak: 1,
    ordered: 0,
  });
});

Deno.test("names of one hash ascend by their bytes", () => {
  const names = collidingNames(3).sort();
  assertEquals(counts(exportsOf(names)), [8, 8, 8]);
  assertEquals(counts(exportsOf(names.toReversed())), [8, 8, 1]);
  assertEquals(counts(exportsOf([names[0], names[2], names[1], names[3]])), [4, 4, 2]);
});

Deno.test("names outside the string table end the order, and the check, when problems are collected", () => {
  const { symbols: table } = parseSmf(rawFile({ layout: "H96", sections: [CODE], symbols: sorted(letters) }));
  const words = table.words.slice();
  for (const index of [2, 3, 6]) {
    words[index * table.step + SYMBOL_WORDS.nameOffset] = 1000 + index;
    words[index * table.step + SYMBOL_WORDS.nameHash] = 0xffff_ffff;
  }
  const strings = table.source.bytes.subarray(table.words.byteLength);
  const problems: LoadError[] = [];
  const { ordered } = checkSymbols(
    words,
    strings,
    table.source.layout,
    0,
    (problem) => problems.push(problem),
  );
  assertEquals([ordered, problems.length], [2, 3]);
});
