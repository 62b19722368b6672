// Values in memory: written from JSON, and shown as text and as JSON.
import { assertEquals, assertThrows } from "@std/assert";
import { writeValue, WrongValueError } from "../../../src/cli/analysis/parse_value.ts";
import { showValue } from "../../../src/cli/analysis/show_value.ts";
import { TypeList } from "../../support/type_graphs.ts";

const list = new TypeList();
const [int, long, double] = [list.int(), list.int("long", 8), list.double()];
const char = list.int("char", 1);
const bool = list.add({ kind: "base", name: "_Bool", size: 1, encoding: "bool" });
const longDouble = list.add({ kind: "base", name: "long double", size: 16, encoding: "float" });
const color = list.enum("Color", int, { RED: 0, GREEN: 5, BLUE: -1 });
const text = list.add({ kind: "array", of: char, count: 4 });
const pair = list.add({ kind: "array", of: int, count: 2 });
const grid = list.add({ kind: "array", of: pair, count: 2 });
const union = list.add({
  kind: "union",
  name: "",
  size: 8,
  nontrivial: false,
  variants: false,
  bases: [],
  fields: [{ name: "whole", type: long, offset: 0 }, { name: "low", type: int, offset: 0 }],
});
const base = list.struct("Base", 8, [{ name: "id", type: long, offset: 0 }]);
const all = list.add({
  kind: "class",
  name: "All",
  size: 48,
  nontrivial: false,
  variants: false,
  bases: [{ type: base, offset: 0 }],
  fields: [
    { name: "", type: union, offset: 8 },
    { name: "grid", type: grid, offset: 16 },
    { name: "label", type: text, offset: 32 },
    { name: "color", type: color, offset: 36 },
    { name: "bits", type: int, offset: 41, bits: [3, 6] },
    { name: "on", type: bool, offset: 42, bits: [1, 1] },
  ],
});

/** A value of a type, made of JSON. */
function written(id: number, value: unknown, size = 48): DataView {
  const view = new DataView(new ArrayBuffer(size));
  writeValue(list.types, id, view, 0, value);
  return view;
}

Deno.test("a record shows the fields of its base classes and unnamed members as its own", () => {
  const value = { id: "9007199254740993", low: -1, grid: [[1, 2], [3]], label: "abcd", color: "BLUE" };
  const view = written(all, value);
  // Six bits from bit 3 of byte 41 on, and bit 1 of byte 42.
  view.setUint16(41, (0b110000 << 3) | (1 << 9), true);
  const shown = showValue(list.types, all, view);
  assertEquals(
    shown.text,
    "{{id: 9007199254740993}, {whole: 4294967295, low: -1}, grid: [[1, 2], [3, 0]], " +
      'label: "abcd", color: BLUE (-1), bits: -16, on: true}',
  );
  assertEquals({ ...shown.json as object }, {
    id: "9007199254740993",
    whole: 4294967295,
    low: -1,
    grid: [[1, 2], [3, 0]],
    label: "abcd",
    color: { name: "BLUE", value: -1 },
    bits: -16,
    on: true,
  });
});

Deno.test("enumerations are exact above 2^53, and have their sign in bit-fields", () => {
  const unsigned = list.base("unsigned long", 8, "unsigned");
  const big = list.enum("Big", unsigned, { NEAR: (1n << 64n) - 2n, TOP: (1n << 64n) - 1n }, 8);
  const box = list.struct("Box", 4, [{ name: "color", type: color, offset: 0, bits: [2, 4] }]);
  const view = written(big, "TOP", 8);
  assertEquals(view.getBigUint64(0, true), (1n << 64n) - 1n);
  assertEquals(showValue(list.types, big, view), {
    text: "TOP (18446744073709551615)",
    json: { name: "TOP", value: "18446744073709551615" },
  });
  view.setUint32(0, 0b111100, true);
  assertEquals(showValue(list.types, box, view).text, "{color: BLUE (-1)}");
});

Deno.test("values without a form of their own are shown as bytes, and never past the end", () => {
  assertEquals(
    showValue(list.types, longDouble, new DataView(new ArrayBuffer(16))).text,
    "00 ".repeat(16).trim(),
  );
  assertEquals(showValue(list.types, all, new DataView(new ArrayBuffer(47))).text, "...");
  assertEquals(showValue(list.types, double, new DataView(new ArrayBuffer(8)), 4).text, "...");
});

Deno.test("numbers that JSON has no exact form for are strings", () => {
  const infinite = written(double, "Infinity");
  assertEquals(showValue(list.types, double, infinite), { text: "Infinity", json: "Infinity" });
  const large = written(long, "-0x8000000000000000");
  assertEquals(showValue(list.types, long, large), { text: `${-(2n ** 63n)}`, json: `${-(2n ** 63n)}` });
});

Deno.test("what does not fit is refused", () => {
  const cases: [id: number, value: unknown, message: string][] = [
    [int, 2 ** 31, "2147483648 is not in [-2147483648, 2147483648), the range of int"],
    [int, 1.5, "'1.5' is not a whole number"],
    [int, {}, "'[object Object]' is not a whole number"],
    [double, "", "'' is not a number"],
    [bool, 1, "'1' is neither true nor false"],
    [color, "PINK", "is neither a number nor a name"],
    [grid, [[1, 2], [3, 4], []], "3 elements are more than 2"],
    [text, "abcde", "5 elements are more than 4"],
    [pair, 3, "'3' is not a list"],
    [all, [], "[] is not an object of fields"],
    [all, { bits: 1 }, "there is no field 'bits'"],
    [longDouble, 1, "there is no way to write long double"],
  ];
  for (const [id, value, message] of cases) assertThrows(() => written(id, value), WrongValueError, message);
});
