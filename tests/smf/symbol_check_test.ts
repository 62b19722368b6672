import { assertEquals, assertMatch } from "@std/assert";
import { rawFile, type RawSymbol } from "../../fixtures/raw.ts";
import { sortedByHash } from "../../src/link/exports.ts";
import type { LoadError } from "../../src/errors/load_error.ts";
import { Binding } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { hashName } from "../../src/smf/hash.ts";
import { type LayoutName, SYMBOL_FIELDS } from "../../src/smf/layout.ts";
import { MAX_NAME_LENGTH } from "../../src/smf/limits.ts";
import { SYMBOL_WORDS } from "../../src/smf/symbol.ts";
import { checkSymbols, type SymbolCounts } from "../../src/smf/symbol_check.ts";
import { collidingNames } from "../support/collisions.ts";
import { assertLoadError } from "../support/testing.ts";
import { bytesOf, LAYOUT_NAMES, sample, withHeader, withSymbol } from "../support/sample_files.ts";

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

/** Returns the counts of the check: Global symbols, defined ones, and sorted ones. */
function counts(symbols: readonly RawSymbol[], layout: LayoutName = "H96"): number[] {
  const { symbols: table } = parseSmf(rawFile({ layout, sections: [CODE], symbols }));
  const strings = table.source.bytes.subarray(table.words.byteLength);
  const result: SymbolCounts = checkSymbols(table.words, strings, table.source.layout, 0);
  return [result.globals, result.defined, result.ordered];
}

for (const layout of LAYOUT_NAMES) {
  Deno.test(`${layout}: sorted exports at the start of a table are counted`, () => {
    assertEquals(counts(sorted(letters), layout), [8, 8, 8]);
    assertEquals(counts([...sorted(letters), symbol("i", { size: 0 })], layout), [9, 8, 8]);
    assertEquals(counts([...sorted(letters), symbol("a", { binding: Binding.Local })], layout), [8, 8, 8]);
    assertEquals(counts([], layout), [0, 0, 0]);
  });
}

Deno.test("a symbol that is not an export, or out of order, ends the sorted part", () => {
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
  // Sorted exports after it do not count, because they are not at the start.
  assertEquals(counts([...ascending.slice(4), ...ascending.slice(0, 4)]), [8, 8, 4]);
});

Deno.test("a value, size or visibility makes an export", () => {
  const bare = { size: 0, value: 0, visibility: 0 };
  const big = [{ value: 1 }, { value: 2 ** 40 }, { size: 1 }, { size: 2 ** 40 }, { visibility: 1 }];
  for (const more of big) assertEquals(counts([symbol("a", { ...bare, ...more })]), [1, 1, 1]);
  assertEquals(counts([symbol("a", bare)]), [1, 0, 0]);
});

Deno.test("weak symbols without value, size and visibility are counted", () => {
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

Deno.test("names with the same hash are sorted by their bytes", () => {
  const names = collidingNames(3).sort();
  assertEquals(counts(exportsOf(names)), [8, 8, 8]);
  assertEquals(counts(exportsOf(names.toReversed())), [8, 8, 1]);
  assertEquals(counts(exportsOf([names[0], names[2], names[1], names[3]])), [4, 4, 2]);
});

Deno.test("names outside the string table end the sorted part when problems are collected", () => {
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

const GLOBAL = { sym_type: 1, binding: Binding.Global };

/** A file of another writer with these symbols. */
const fileOf = (symbols: readonly RawSymbol[]): Uint8Array =>
  rawFile({ layout: "H96", sections: [CODE], symbols, header: { exported_count: symbols.length } });

const open = withHeader(sample(), "module_hash", 0);
const table = parseSmf(open).header.symbolTableOffset;
const strings = table + 4 * 56;
const field = (index: number, name: keyof typeof SYMBOL_FIELDS) =>
  table + index * 56 + SYMBOL_FIELDS[name][0];

Deno.test("an empty string table is refused (row 16)", () => {
  const file = fileOf([{ name: "", ...GLOBAL }]);
  parseSmf(file);
  const error = assertLoadError(() => parseSmf(file.subarray(0, file.length - 1)), "InvalidFormat");
  assertMatch(error.message, /string table is empty/);
});

Deno.test("a name without a NUL at its end is refused (row 16)", () => {
  const file = fileOf([{ name: "main", ...GLOBAL }]);
  const error = assertLoadError(() => parseSmf(file.subarray(0, file.length - 1)), "InvalidFormat");
  assertMatch(error.message, /no NUL/);
});

Deno.test("a name offset outside the string table is refused (row 17)", () => {
  const length = open.length - strings;
  for (const value of [length, length + 1, 2 ** 32 - 1]) {
    const error = assertLoadError(
      () => parseSmf(withSymbol(open, 2, "name_offset", value)),
      "InvalidFormat",
      {
        offset: field(2, "name_offset"),
        value,
        range: [0, length],
      },
    );
    assertMatch(error.message, /symbol 2: its name is outside the string table/);
  }
});

Deno.test("names in a file with a trailing header end before it", () => {
  for (const layout of ["H96-trailer", "P128"] as const) {
    const file = sample(layout);
    const { header } = parseSmf(file);
    const length = header.offset - header.symbolTableOffset - 4 * 56;
    assertLoadError(() => parseSmf(withSymbol(file, 0, "name_offset", length)), "InvalidFormat", {
      range: [0, length],
    });
  }
});

Deno.test("a name that is not UTF-8 is refused (row 18)", () => {
  for (const wrong of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80]]) {
    const name = bytesOf(...wrong);
    const bytes = fileOf([{ name: "x".repeat(wrong.length), ...GLOBAL }]);
    bytes.set(name, bytes.length - 1 - wrong.length);
    const file = withSymbol(bytes, 0, "name_hash", hashName(name));
    assertMatch(assertLoadError(() => parseSmf(file), "InvalidFormat").message, /not UTF-8/);
  }
});

Deno.test("a name of 1 MiB is accepted, one byte more is refused (row 18)", () => {
  const name = "é".repeat(MAX_NAME_LENGTH / 2);
  const file = parseSmf(fileOf([{ name, ...GLOBAL }]));
  assertEquals(file.symbols.find(name)?.index, 0);
  const error = assertLoadError(() => parseSmf(fileOf([{ name: `${name}x`, ...GLOBAL }])), "InvalidFormat");
  assertMatch(error.message, /longer than 1048576 bytes/);
});

Deno.test("a hash that does not match the name is refused (row 19)", () => {
  const wrong = hashName("seven") ^ 1;
  assertLoadError(() => parseSmf(withSymbol(open, 0, "name_hash", wrong >>> 0)), "InvalidFormat", {
    symbol: "seven",
    offset: field(0, "name_hash"),
    value: wrong >>> 0,
  });
  assertLoadError(() => parseSmf(withSymbol(open, 3, "name_hash", 0)), "InvalidFormat", { symbol: "helper" });
});

Deno.test("types and bindings that do not exist are refused", () => {
  for (const value of [7, 255]) {
    assertLoadError(() => parseSmf(withSymbol(open, 1, "sym_type", value)), "InvalidFormat", {
      symbol: "ext",
      offset: field(1, "sym_type"),
      value,
      range: [0, 7],
    });
  }
  for (const value of [3, 255]) {
    assertLoadError(() => parseSmf(withSymbol(open, 1, "binding", value)), "InvalidFormat", {
      symbol: "ext",
      offset: field(1, "binding"),
      value,
      range: [0, 3],
    });
  }
});

Deno.test("values, sizes and template offsets above 2^53 are refused (row 5)", () => {
  for (const name of ["value", "size", "template_offset"] as const) {
    for (const value of [2n ** 53n, 2n ** 64n - 1n]) {
      assertLoadError(() => parseSmf(withSymbol(open, 2, name, value)), "InvalidFormat", {
        symbol: "table",
        offset: field(2, name),
        value,
      });
    }
  }
  const largest = parseSmf(withSymbol(open, 2, "value", 2n ** 53n - 1n));
  assertEquals(largest.symbols.value(2), 2 ** 53 - 1);
});

Deno.test("symbols that share a long name are refused before they take quadratic time", () => {
  const name = "n".repeat(100_000);
  const file = fileOf([
    { name, ...GLOBAL, binding: 0 },
    ...Array.from({ length: 1000 }, () => ({ name: "", ...GLOBAL, binding: 0 })),
  ]);
  parseSmf(file);
  const view = new DataView(file.buffer);
  const first = parseSmf(file).header.symbolTableOffset;
  for (let i = 1; i <= 1000; i++) {
    view.setUint32(first + i * 56, 0, true);
    view.setUint32(first + i * 56 + 4, hashName(name), true);
  }
  assertMatch(assertLoadError(() => parseSmf(file), "InvalidFormat").message, /share/);
});
