import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { SmfBuilder } from "../../src/smf/builder.ts";
import { Binding, SymbolType } from "../../src/smf/enums.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { hashName } from "../../src/smf/hash.ts";
import { SYMBOL_FIELDS } from "../../src/smf/layout.ts";
import { sortedByHash } from "../../src/link/exports.ts";
import { rawFile, type RawSymbol } from "../../fixtures/raw.ts";
import { assertLoadError, patched, randomFrom } from "../support/testing.ts";
import { collidingNames } from "../support/collisions.ts";
import { bytesOf, LAYOUT_NAMES, sample, withHeader, withSymbol } from "../support/sample_files.ts";

const CODE = { name: "code", section_type: 1, flags: 5, alignment: 1, bytes: new Uint8Array(64).fill(0xc3) };
const GLOBAL = { sym_type: 1, binding: Binding.Global };

/** A file of another writer with these symbols. */
const fileOf = (symbols: readonly RawSymbol[], exported_count = symbols.length): Uint8Array =>
  rawFile({ layout: "H96", sections: [CODE], symbols, header: { exported_count } });

const open = withHeader(sample(), "module_hash", 0);
const table = parseSmf(open).header.symbolTableOffset;
const field = (index: number, name: keyof typeof SYMBOL_FIELDS) =>
  table + index * 56 + SYMBOL_FIELDS[name][0];

for (const layout of LAYOUT_NAMES) {
  Deno.test(`${layout}: every field of a symbol is read`, () => {
    const wide = layout !== "H72" && layout !== "H80";
    const builder = new SmfBuilder({ layout });
    builder.section({ name: "code", type: 1, bytes: bytesOf(0xc3) });
    const symbol = {
      name: "grüße",
      type: SymbolType.Constant,
      binding: Binding.Weak,
      visibility: 1,
      flags: 0x35,
      value: 0x12_3456_789a,
      size: 0x0f_ffff_ffff_ffff,
      typeId: 0xdead_beef,
      version: 7,
      templateParamCount: wide ? 3 : 0,
      templateOffset: wide ? 0x1_0000_0001 : 0,
    };
    builder.symbol(symbol);
    const { symbols } = parseSmf(builder.build());
    assertEquals([...symbols], [{ index: 0, nameHash: hashName("grüße"), ...symbol }]);
    assertEquals(symbols.length, 1);
    assertEquals(
      [symbols.type(0), symbols.binding(0), symbols.visibility(0), symbols.value(0), symbols.size(0)],
      [symbol.type, symbol.binding, 1, symbol.value, symbol.size],
    );
    assertEquals([symbols.name(0), symbols.nameHash(0)], ["grüße", hashName("grüße")]);
  });
}

Deno.test("types of P128 files are counted from Function = 0", () => {
  const file = rawFile({
    layout: "P128",
    sections: [CODE],
    symbols: [0, 1, 2, 3, 4, 5].map((sym_type) => ({ name: `s${sym_type}`, sym_type, binding: 1, size: 1 })),
  });
  assertEquals([...parseSmf(file).symbols].map(({ type }) => type), [1, 2, 3, 4, 5, 6]);
  assertLoadError(() => parseSmf(withSymbol(file, 0, "sym_type", 6)), "InvalidFormat", {
    value: 6,
    range: [0, 6],
  });
});

Deno.test("names in a buffer that changed after the check are an error, not another name", () => {
  const { symbols } = parseSmf(open.slice());
  assertEquals(symbols.name(0), "seven");
  symbols.source.bytes.fill(0xff, symbols.length * symbols.source.layout.symbolSize);
  const { message } = assertLoadError(() => symbols.name(0), "InvalidFormat");
  assertStringIncludes(message, "its bytes changed after the check");
});

Deno.test("two exports with the same name are refused (row 22)", () => {
  const twice = fileOf([{ name: "f", ...GLOBAL, value: 1 }, { name: "g", ...GLOBAL, value: 2 }, {
    name: "f",
    ...GLOBAL,
    value: 3,
  }]);
  const error = assertLoadError(() => parseSmf(twice), "InvalidFormat", {
    symbol: "f",
    value: "symbols 0 and 2",
  });
  assertMatch(error.message, /two exports have the same name/);
});

Deno.test("symbols with the same name may be local, weak, imported and exported at once", () => {
  const file = parseSmf(fileOf([
    { name: "f", ...GLOBAL, binding: Binding.Local },
    { name: "f", ...GLOBAL, binding: Binding.Local, value: 1 },
    { name: "f", ...GLOBAL, binding: Binding.Weak, value: 2 },
    { name: "f", ...GLOBAL },
    { name: "f", ...GLOBAL, value: 5 },
    { name: "f", ...GLOBAL },
  ], 0));
  assertEquals(file.symbols.find("f")?.index, 0);
  assertEquals(file.symbols.findExport("f")?.index, 4);
  assertEquals(file.imports(), ["f"]);
  const none = parseSmf(
    fileOf([{ name: "f", ...GLOBAL, binding: Binding.Local }, { name: "f", ...GLOBAL }], 0),
  );
  assertEquals(none.symbols.findExport("f"), undefined);
  assertEquals(none.symbols.find("f")?.index, 0);
});

/** Exports with these names and values, in the order in which the linker writes them. */
const ascending = (symbols: readonly { name: string; value: number }[]): RawSymbol[] =>
  sortedByHash(symbols).map((symbol) => ({ ...symbol, ...GLOBAL }));

Deno.test("two exports with the same name are refused in a table that is sorted otherwise", () => {
  const names = Array.from({ length: 100 }, (_, i) => ({ name: `f${i}`, value: i + 1 }));
  const symbols = ascending(names);
  parseSmf(fileOf(symbols));
  for (const first of [0, 57, 99]) {
    const twice = (at: number) => fileOf(symbols.toSpliced(at, 0, { ...symbols[first], value: 1000 }));
    for (const at of [first + 1, 100]) {
      const error = assertLoadError(() => parseSmf(twice(at)), "InvalidFormat", {
        symbol: symbols[first].name,
        value: `symbols ${first} and ${at}`,
      });
      assertMatch(error.message, /two exports have the same name/);
    }
  }
});

Deno.test("two exports with the same name are refused among names with the same hash", () => {
  const names = collidingNames(2).sort();
  for (const order of [[0, 1, 2, 3, 0], [0, 1, 0, 2], [1, 1], [0, 1, 2, 1, 3]]) {
    const file = fileOf(order.map((i, at) => ({ name: names[i], ...GLOBAL, value: at + 1 })));
    const second = order.findIndex((name, at) => order.indexOf(name) < at);
    assertLoadError(() => parseSmf(file), "InvalidFormat", {
      value: `symbols ${order.indexOf(order[second])} and ${second}`,
    });
  }
  for (const order of [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3]]) {
    const { symbols } = parseSmf(
      fileOf(order.map((i, at) => ({ name: names[i], ...GLOBAL, value: at + 1 }))),
    );
    order.forEach((i, at) => {
      assertEquals([symbols.indexOf(names[i]), symbols.exportOf(names[i])], [at, at]);
    });
  }
});

Deno.test("imports and locals after sorted exports are found by name too", () => {
  const names = Array.from({ length: 300 }, (_, i) => ({ name: `f${i}`, value: i + 1 }));
  const rest = [
    { name: "f7", ...GLOBAL, binding: Binding.Local, value: 5 },
    { name: "import", ...GLOBAL },
    { name: "import", ...GLOBAL, binding: Binding.Local },
    { name: "weak", ...GLOBAL, binding: Binding.Weak, value: 1 },
    { name: "größe", ...GLOBAL, binding: Binding.Local, value: 9 },
  ];
  const symbols = [...ascending(names), ...rest];
  // The same symbols, unsorted.
  const shuffled = [...symbols.slice(0, 300).reverse(), ...rest];
  for (const order of [symbols, shuffled]) {
    const file = parseSmf(fileOf(order, 0));
    const table = file.symbols;
    // More searches than it takes until the prefix table is made.
    for (let turn = 0; turn < 10; turn++) {
      assertEquals(["import", "weak", "größe"].map((name) => table.indexOf(name)), [301, 303, 304]);
      assertEquals(["import", "weak", "größe"].map((name) => table.exportOf(name)), [-1, -1, -1]);
      for (const name of ["f7", "f0", "f299"]) {
        const at = order.findIndex((symbol) => symbol.name === name);
        assertEquals([table.indexOf(name), table.exportOf(name)], [at, at]);
      }
      assertEquals([table.indexOf("g"), table.exportOf("g"), table.indexOf("")], [-1, -1, -1]);
    }
    assertEquals(file.imports(), ["import"]);
  }
});

Deno.test("a local before sorted exports is the first with its name, and the exports are found", () => {
  const names = ascending(Array.from({ length: 50 }, (_, i) => ({ name: `f${i}`, value: i + 1 })));
  const { symbols } = parseSmf(fileOf([{ ...names[3], binding: Binding.Local }, ...names]));
  assertEquals([symbols.indexOf(names[3].name), symbols.exportOf(names[3].name)], [0, 4]);
  names.forEach(({ name }, i) => assertEquals(symbols.exportOf(name), i + 1));
});

Deno.test("imports between sorted exports are not exports, and may have the same name as one", () => {
  const names = ascending(Array.from({ length: 50 }, (_, i) => ({ name: `f${i}`, value: i + 1 })));
  const { symbols } = parseSmf(fileOf(names.toSpliced(9, 0, { name: names[8].name, ...GLOBAL }), 0));
  assertEquals([symbols.indexOf(names[8].name), symbols.exportOf(names[8].name)], [8, 8]);
  const before = parseSmf(fileOf(names.toSpliced(8, 0, { name: names[8].name, ...GLOBAL }), 0)).symbols;
  assertEquals([before.indexOf(names[8].name), before.exportOf(names[8].name)], [8, 9]);
});

Deno.test("sorted exports are used only if they are all exports, according to the header", () => {
  const names = ascending([{ name: "a", value: 1 }, { name: "b", value: 2 }, { name: "c", value: 3 }]);
  const zero = { name: names[1].name, ...GLOBAL };
  // This symbol is an import if the header counts three exports, and an export at offset 0 if it counts four.
  assertEquals(parseSmf(fileOf([...names, zero], 3)).symbols.exportOf(zero.name), 1);
  assertLoadError(() => parseSmf(fileOf([...names, zero], 4)), "InvalidFormat", {
    symbol: zero.name,
    value: "symbols 1 and 3",
  });
  const other = { name: "zero", ...GLOBAL };
  assertEquals(parseSmf(fileOf([...names, other], 3)).symbols.exportOf("zero"), -1);
  assertEquals(parseSmf(fileOf([...names, other], 4)).symbols.exportOf("zero"), 3);
});

Deno.test("lookups in random tables agree with a linear search", () => {
  const names = [...collidingNames(2), "a", "b", "", "größe", "liquid", "costarring"];
  const next = randomFrom(22);
  const seen = { refused: 0, ordered: 0, other: 0 };
  for (let round = 0; round < 3000; round++) {
    const symbols: RawSymbol[] = Array.from({ length: next() % 9 }, () => ({
      name: names[next() % names.length],
      sym_type: 1,
      binding: next() % 4 === 0 ? next() % 3 : Binding.Global,
      value: next() % 4 === 0 ? 0 : 1 + next() % 99,
    }));
    const isGlobal = ({ binding }: RawSymbol) => binding === Binding.Global;
    const allDefined = next() % 2 === 0;
    const isExport = (symbol: RawSymbol) => isGlobal(symbol) && (allDefined || symbol.value !== 0);
    const exports = symbols.filter(isExport), rest = symbols.filter((symbol) => !isExport(symbol));
    const order = next() % 3 === 0 ? symbols : [...sortedByHash(exports), ...rest];
    const file = fileOf(order, allDefined ? order.filter(isGlobal).length : 99);
    if (new Set(exports.map(({ name }) => name)).size < exports.length) {
      assertMatch(assertLoadError(() => parseSmf(file), "InvalidFormat").message, /the same name/);
      seen.refused++;
      continue;
    }
    const table = parseSmf(file).symbols;
    for (let turn = 0; turn < 2; turn++) {
      for (const name of [...names, "c"]) {
        assertEquals(table.indexOf(name), order.findIndex((symbol) => symbol.name === name));
        assertEquals(
          table.exportOf(name),
          order.findIndex((symbol) => symbol.name === name && isExport(symbol)),
        );
      }
    }
    seen[order === symbols ? "other" : "ordered"]++;
  }
  for (const count of Object.values(seen)) assert(count > 300, JSON.stringify(seen));
});

Deno.test("names of Object.prototype are ordinary names (row 24)", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "", " ", "a\nb", "\ufeffx"];
  const file = parseSmf(fileOf(names.map((name, i) => ({ name, ...GLOBAL, value: i + 1 }))));
  names.forEach((name, i) => {
    assertEquals(file.symbols.find(name)?.value, i + 1);
    assertEquals(file.symbols.findExport(name)?.name, name);
  });
  for (const name of ["valueOf", "__defineGetter__", "x", "a", "a\0", "\0"]) {
    assertEquals(file.symbols.find(name), undefined);
  }
});

Deno.test("strings that cannot be names are not found", () => {
  const file = parseSmf(
    fileOf([{ name: "a", ...GLOBAL, value: 1 }, { name: "\ufffd", ...GLOBAL, value: 2 }]),
  );
  assertEquals(file.symbols.find("\ud800"), undefined);
  assertEquals(file.symbols.find("a\0\ufffd"), undefined);
  assertEquals(file.symbols.find("\ufffd")?.value, 2);
});

Deno.test("a symbol is defined if it is local, or has a value, size or visibility", () => {
  const defined = (symbol: Partial<RawSymbol>, exported_count = 7) => {
    const file = parseSmf(fileOf([{ name: "s", ...GLOBAL, ...symbol }], exported_count));
    assertEquals(file.isDefined(0), file.symbols.isDefined(0));
    assertEquals(file.imports(), file.isDefined(0) ? [] : ["s"]);
    return file.isDefined(0);
  };
  for (const binding of [Binding.Global, Binding.Weak]) {
    assertEquals(defined({ binding }), false);
    assertEquals(defined({ binding, value: 1 }), true);
    assertEquals(defined({ binding, value: 2 ** 40 }), true);
    assertEquals(defined({ binding, size: 1 }), true);
    assertEquals(defined({ binding, visibility: 1 }), true);
  }
  assertEquals(defined({ binding: Binding.Local }), true);
});

Deno.test("globals at offset 0 are defined if the header counts every global as an export", () => {
  const main = { name: "main", ...GLOBAL };
  assertEquals(parseSmf(fileOf([main], 1)).isDefined(0), true);
  assertEquals(parseSmf(fileOf([main], 0)).isDefined(0), false);
  assertEquals(parseSmf(fileOf([main], 2)).isDefined(0), false);
  const weak = { name: "w", sym_type: 1, binding: Binding.Weak };
  assertEquals(parseSmf(fileOf([main, weak], 1)).isDefined(1), true);
  assertEquals(parseSmf(fileOf([main, weak], 2)).isDefined(0), false);
});

Deno.test("this package's files mark definitions, so that the header's count is not used", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: 1, bytes: bytesOf(0xc3) });
  builder.symbol({ name: "f", type: SymbolType.Function });
  builder.symbol({ name: "w", type: SymbolType.Function, binding: Binding.Weak, defined: false });
  const file = parseSmf(builder.build());
  assertEquals(file.header.exportedCount, 1);
  assertEquals([file.isDefined(0), file.isDefined(1)], [true, false]);
  assertEquals(file.imports(), ["w"]);
});

Deno.test("padding in symbols is ignored", () => {
  const garbage = patched(open, [field(0, "value") - 4, 4, 0x7ffe_1234], [
    field(0, "template_offset") - 4,
    4,
    0xffff,
  ]);
  assertEquals([...parseSmf(garbage).symbols], [...parseSmf(open).symbols]);
});

Deno.test("100,000 symbols are all found, and no other name is", () => {
  const builder = new SmfBuilder();
  builder.section({ name: "code", type: 1, virtualSize: 1_000_000 });
  for (let i = 0; i < 100_000; i++) builder.symbol({ name: `f${i}`, type: SymbolType.Function, value: i });
  const { symbols } = parseSmf(builder.build());
  for (let i = 0; i < 100_000; i++) assertEquals(symbols.find(`f${i}`)?.index, i);
  for (let i = 100_000; i < 101_000; i++) assertEquals(symbols.find(`f${i}`), undefined);
});

Deno.test("names with the same hash do not take quadratic time", () => {
  const texts = collidingNames(12);
  const file = parseSmf(fileOf(texts.map((name, i) => ({ name, ...GLOBAL, value: i + 1 }))));
  assertEquals(file.symbols.find(texts[0])?.value, 1);
  assertEquals(file.symbols.findExport(texts[4095])?.value, 4096);
  assertEquals(file.symbols.find("absent"), undefined);
  const twice = [...texts, texts[5]].map((name, i) => ({ name, ...GLOBAL, value: i + 1 }));
  assertLoadError(() => parseSmf(fileOf(twice)), "InvalidFormat", { value: "symbols 5 and 4096" });
  const sorted = texts.toSorted();
  const ordered = parseSmf(fileOf(sorted.map((name, i) => ({ name, ...GLOBAL, value: i + 1 })))).symbols;
  sorted.forEach((name, i) => assertEquals(ordered.exportOf(name), i));
  assertEquals(ordered.exportOf("absent"), -1);
});
