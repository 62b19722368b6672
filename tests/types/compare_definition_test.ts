import { assertEquals } from "@std/assert";
import {
  compareFunction,
  compareVariable,
  type DefinedFunction,
  type DefinitionDifferences,
} from "../../src/types/compare_definition.ts";
import type { DefinedType } from "../../src/types/definition_words.ts";
import { commonTypes } from "../support/typed_modules.ts";

const { types, int, unsigned, long, size, float, double, char, string, pair, point } = commonTypes();
const short = types.base("short", 2, "signed");
const bool = types.base("_Bool", 1, "bool");
const octet = types.base("unsigned char", 1, "unsigned");
const longDouble = types.base("long double", 16, "float");
const int128 = types.base("__int128", 16, "signed");
const colour = types.add({ kind: "enum", name: "colour", size: 4, underlying: unsigned, enumerators: [] });
const union = types.record({ kind: "union", name: "either", size: 8, fields: [] });
const handle = types.struct("handle", 4, { id: [int, 0] });
const large = types.struct("large", 24, { a: [long, 0], b: [long, 8], c: [long, 16] });
const owner = types.record({
  kind: "class",
  name: "owner",
  size: 8,
  nontrivial: true,
  fields: [{ name: "p", type: string, offset: 0 }],
});
const nested = types.struct("nested", 24, { head: [pair, 0], tail: [short, 16] });
const vector = types.add({ kind: "vector", of: float, count: 4 });
const reference = types.add({ kind: "reference", to: point });
const callback = types.pointer(types.function(int, [int]));
const wide = types.add({ kind: "typedef", name: "int64_t", to: types.add({ kind: "const", to: long }) });

/** Compares a definition of one parameter with a function that takes one. */
function parameter(type: number, defined: DefinedType): DefinitionDifferences {
  return compareFunction(types.list, types.function(0, [type]), { parameters: [defined], result: "void" });
}

function result(type: number, defined: DefinedType): DefinitionDifferences {
  return compareFunction(types.list, types.function(type), { parameters: [], result: defined });
}

/** `agrees`, `remark` or `error`: what a comparison has found. */
function verdict({ errors, remarks }: DefinitionDifferences): string {
  return errors.length > 0 ? "error" : remarks.length > 0 ? "remark" : "agrees";
}

const WORDS = [
  "bool",
  "i8",
  "u8",
  "i16",
  "u16",
  "i32",
  "u32",
  "i64",
  "u64",
  "isize",
  "usize",
  "f32",
  "f64",
  "pointer",
  "buffer",
  "function",
];
const WIDE = ["i64", "u64", "isize", "usize", "pointer", "buffer", "function"];

Deno.test("each type agrees with the words that pass it in the same way, and with no others", () => {
  const agreeing: [name: string, type: number, agrees: string[], remarks: string[]][] = [
    ["int", int, ["i32"], ["u32"]],
    ["unsigned", unsigned, ["u32"], ["i32"]],
    ["short", short, ["i16"], ["u16"]],
    ["bool", bool, ["bool"], ["i8", "u8"]],
    ["char", char, ["i8", "u8"], ["bool"]],
    ["unsigned char", octet, ["u8"], ["i8", "bool"]],
    ["enum", colour, ["i32", "u32"], []],
    ["long", long, WIDE, []],
    ["size_t", size, WIDE, []],
    ["const int64_t", wide, WIDE, []],
    ["const char *", string, WIDE, []],
    ["int (*)(int)", callback, WIDE, []],
    ["point &", reference, WIDE, []],
    ["float", float, ["f32"], []],
    ["double", double, ["f64"], []],
    ["struct of an int", handle, [], ["i32", "u32"]],
    ["long double", longDouble, [], []],
    ["a vector", vector, [], []],
    ["a struct", pair, [], []],
    // Its address is what is passed.
    ["a C++ object", owner, [], WIDE],
    // Whether these are right depends on the members.
    ["a union", union, [], ["i64", "u64", "isize", "usize", "f64", "pointer", "buffer", "function"]],
    ["__int128", int128, [], []],
  ];
  for (const [name, type, agrees, remarks] of agreeing) {
    for (const word of WORDS) {
      const expected = agrees.includes(word) ? "agrees" : remarks.includes(word) ? "remark" : "error";
      assertEquals(verdict(parameter(type, word)), expected, `${name} as ${word}`);
      const isObject = type === owner;
      assertEquals(verdict(result(type, word)), isObject ? "error" : expected, `${name} as result ${word}`);
    }
  }
});

Deno.test("a difference is said with the place, the module's type and the definition's", () => {
  const scale = types.function(point, [point, double]);
  const pointType = { struct: ["f64", "f64"] };
  const say = (definition: DefinedFunction) => compareFunction(types.list, scale, definition).errors;
  assertEquals(say({ parameters: [pointType, "f64"], result: pointType }), []);
  assertEquals(say({ parameters: [pointType, "i32"], result: pointType }), [
    "parameter 2 is double, the definition says i32",
  ]);
  assertEquals(say({ parameters: [pointType], result: pointType }), [
    "it takes 2 parameters, the definition says 1",
  ]);
  assertEquals(say({ parameters: ["f64", "f64", "f64"], result: "f64" }), [
    "it takes 2 parameters, the definition says 3",
    "parameter 1 is struct point, the definition says f64",
    "its result is struct point, the definition says f64",
  ]);
  assertEquals(parameter(string, "f32").errors, ["parameter 1 is const char *, the definition says f32"]);
});

Deno.test("structs are compared by the places of their words, however they are nested", () => {
  const inner = { struct: ["i64", "i64"] };
  assertEquals(verdict(parameter(nested, { struct: [inner, "i16"] })), "agrees");
  assertEquals(verdict(parameter(nested, { struct: ["pointer", "usize", "i16"] })), "agrees");
  assertEquals(verdict(parameter(nested, { struct: ["i64", "i64", "u16"] })), "remark");
  assertEquals(verdict(parameter(nested, { struct: ["i64", "i64", "i32"] })), "error");
  assertEquals(verdict(parameter(nested, { struct: ["i64", "i64"] })), "error");
  assertEquals(verdict(parameter(nested, { struct: ["i64", "f64", "i16"] })), "error");
  // The same words, but padding between them.
  const padded = types.struct("padded", 24, { a: [long, 0], b: [octet, 8], c: [octet, 16] });
  assertEquals(verdict(parameter(padded, { struct: ["i64", "u8", "u8"] })), "error");
  assertEquals(verdict(parameter(pair, inner)), "agrees");
  assertEquals(verdict(parameter(double, { struct: ["f64"] })), "remark");
});

Deno.test("a definition may ignore a result, but not one that the caller has to take", () => {
  assertEquals(result(0, "i32").errors, ["its result is void, the definition says i32"]);
  for (const type of [int, double, string, pair, colour]) {
    assertEquals(verdict(result(type, "void")), "agrees");
  }
  for (const type of [large, owner, longDouble]) assertEquals(verdict(result(type, "void")), "error");
});

Deno.test("further arguments of a variadic function cannot be compared, its parameters can", () => {
  const print = types.function(int, [string], { variadic: true });
  const compare = (...parameters: string[]) =>
    compareFunction(types.list, print, { parameters, result: "i32" });
  assertEquals(verdict(compare("buffer")), "agrees");
  assertEquals(verdict(compare("buffer", "i32", "f64")), "remark");
  assertEquals(compare().errors, ["it takes at least 1 parameter, the definition says 0"]);
  assertEquals(verdict(compare("i32", "i32")), "error");
  const old = types.function(int, [], { prototyped: false });
  assertEquals(verdict(compareFunction(types.list, old, { parameters: ["i32"], result: "i32" })), "remark");
});

Deno.test("a variable agrees with its type, with its address, and with a part of it", () => {
  const array = types.add({ kind: "array", of: int, count: 2 });
  const verdictOf = (type: number, defined: DefinedType) =>
    verdict(compareVariable(types.list, type, defined));
  assertEquals(verdictOf(int, "i32"), "agrees");
  assertEquals(verdictOf(int, "u32"), "remark");
  assertEquals(compareVariable(types.list, long, "f64").errors, [
    "the variable is long, the definition says f64",
  ]);
  for (const type of [int, array, point, union, longDouble]) {
    assertEquals(verdictOf(type, "pointer"), "agrees");
  }
  for (const type of [array, point, union]) assertEquals(verdictOf(type, "u64"), "agrees");
  assertEquals(verdictOf(string, "u64"), "agrees");
  assertEquals(verdictOf(string, "f64"), "error");
});

Deno.test("damaged types are compared without an end that depends on them", () => {
  const loop = types.add({ kind: "typedef", name: "loop", to: 0 });
  (types.list[loop] as { to: number }).to = loop;
  const many = types.add({ kind: "array", of: int, count: 2 ** 40 });
  const huge = types.struct("huge", 2 ** 42, { all: [many, 0] });
  assertEquals(verdict(parameter(loop, "i32")), "remark");
  assertEquals(verdict(parameter(huge, { struct: ["i32"] })), "error");
});
