// Definitions that a person wrote, read out of their file and compared with the module's own types.
import { assertEquals } from "@std/assert";
import { compareDefinitions } from "../../../src/types/typescript/compare_definitions.ts";
import { readDefinitions } from "../../../src/types/typescript/read_definitions.ts";
import { TypeList } from "../../support/type_graphs.ts";

const list = new TypeList();
const [int, long, double] = [list.int(), list.int("long", 8), list.double()];
const point = list.struct("Point", 16, [
  { name: "x", type: double, offset: 0 },
  { name: "y", type: double, offset: 8 },
]);
const EXPORTS = [
  { name: "add", kind: "function", type: list.function(int, [["a", int], ["b", int]]) },
  { name: "log", kind: "function", type: list.function(int, [["level", int]], true) },
  { name: "mid", kind: "function", type: list.function(point, [["a", point], ["b", point]]) },
  { name: "send", kind: "function", type: list.function(long, [["data", list.pointer(0)], ["n", long]]) },
  { name: "count", kind: "variable", type: int },
  { name: "unknown", kind: "function", type: undefined },
] as const;

/** The differences of a file, as lines. */
function differencesOf(text: string): string[] {
  const { differences } = compareDefinitions(list.types, EXPORTS, readDefinitions(text));
  return differences.map(({ name, problem }) => `${name}: ${problem}`);
}

Deno.test("definitions that agree are found wherever they stand, and pass", () => {
  const text = `
    const pattern = /["{]/; // { add: { parameters: [], result: "void" } }
    const Point = { struct: ["f64", "f64"] } as const;
    export const definitions = {
      add: { parameters: ["i32", 'i32'], result: "i32" },
      mid: { parameters: [Point, { struct: ["f64", \`f64\`] }], result: Point },
      ["send"]: { parameters: ["buffer", "isize",], result: "i64", nonblocking: true },
      "count": { type: "i32" },
      total: { name: "count", type: "pointer" },
      other: { parameters: [], result: "void", optional: true },
      unknown: { parameters: ["f32"], result: "void" },
      ...more,
    } as const satisfies Deno.ForeignLibraryInterface;`;
  assertEquals(differencesOf(text), []);
  assertEquals(compareDefinitions(list.types, EXPORTS, readDefinitions(text)).compared, 7);
});

Deno.test("another type, sign, size, number of parameters or kind is a difference", () => {
  const text = `dlopen("a.smf", {
    add: { parameters: ["i32", "u32"], result: "i64" },
    log: { parameters: ["i32"], result: "i32" },
    mid: { parameters: [{ struct: ["f64"] }], result: { struct: ["f64", "f64"] } },
    send: { parameters: ["u32", "u64"], result: "void" },
    count: { parameters: [], result: "i32" },
    sum: { parameters: [], result: "i32" },
  })`;
  assertEquals(differencesOf(text), [
    "add: parameter 2 is i32, the file says u32",
    "add: its result is i32, the file says i64",
    "log: it cannot be called: it is variadic",
    "mid: it has 2 parameters, the file says 1",
    "send: parameter 1 is pointer, the file says u32",
    "send: parameter 2 is i64, the file says u64",
    "count: it is a variable, the file defines a function",
    "sum: the module does not export it",
  ]);
});

Deno.test("literals for another module are left out, and expressions may be anything", () => {
  const text = `
    open("b.smf", { foo: { parameters: ["i32"], result: "i32" }, bar: { type: "f64" } });
    const options = { add: { type: "string" }, schema: { type: "object" } };
    open("a.smf", { add: { parameters: [INT, int()], result: choose ? "i32" : "u32" } });
    open("a.smf", { add: { parameters: [a, b], result: "u64" } });`;
  assertEquals(differencesOf(text), ["add: its result is i32, the file says u64"]);
});

Deno.test("any text is read within bounds", () => {
  for (
    const text of [
      "{",
      "a: {",
      "a: { parameters: [",
      "'",
      "`",
      "/*",
      "a: {".repeat(5000),
      "x: [".repeat(5000),
    ]
  ) {
    assertEquals(readDefinitions(text), []);
  }
});
