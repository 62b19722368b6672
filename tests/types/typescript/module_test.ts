// Generated modules: what they declare, how their classes read and write, and what names may not do.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { TypeList } from "../../support/type_graphs.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

/** Imports a generated module, which `deno test --no-check` strips of its types. */
async function imported(text: string): Promise<Record<string, unknown>> {
  using folder = new TemporaryDirectory();
  const path = folder.file("generated.ts", new TextEncoder().encode(text));
  return await import(new URL(`file://${path}`).href);
}

/** A class of a generated module. */
interface RecordClass {
  new (bytes?: Uint8Array | ArrayBuffer): Record<string, unknown> & { readonly $bytes: Uint8Array };
  of(fields: Record<string, unknown>): InstanceType<RecordClass>;
  readonly size: number;
  readonly offsets: Readonly<Record<string, number>>;
  readonly type?: unknown;
}

Deno.test("functions, variables and enumerations become constants, sorted by name", () => {
  const list = new TypeList();
  const int = list.int();
  const color = list.enum("Color", int, { RED: 0, GREEN: 5, BLUE: -1 });
  const text = list.module({
    next: list.function(color, [["color", color]]),
    add: list.function(int, [["a", int], ["b", int]]),
    count: int,
  });
  assertStringIncludes(text, "export const Color = { RED: 0, GREEN: 5, BLUE: -1 } as const;");
  assertStringIncludes(
    text,
    `export const definitions = {
  /** \`int add(int a, int b)\` */
  add: { parameters: ["i32", "i32"], result: "i32" },
  /** \`int count\` */
  count: { type: "i32" },
  /** \`enum Color next(enum Color color)\` */
  next: { parameters: ["i32"], result: "i32" },
} as const;
`,
  );
});

Deno.test("values of enumerations of 64 bits are bigints, as calls and accessors give them", () => {
  const list = new TypeList();
  const big = list.enum(
    "Big",
    list.base("unsigned long", 8, "unsigned"),
    { ONE: 1, TOP: (1n << 64n) - 1n },
    8,
  );
  const low = list.enum("Low", list.int("long", 8), { LOWEST: -(1n << 63n) }, 8);
  const small = list.enum("Small", list.int("long", 8), { TWO: 2 }, 8);
  const wide = list.enum("Wide", list.int("__int128", 16), { FAR: 1n << 100n, NEAR: 3 }, 16);
  const text = list.module({ big, low, small, wide });
  assertStringIncludes(text, "export const Big = { ONE: 1n, TOP: 18446744073709551615n } as const;");
  assertStringIncludes(text, "export const Low = { LOWEST: -9223372036854775808n } as const;");
  assertStringIncludes(text, "export const Small = { TWO: 2n } as const;");
  assertStringIncludes(
    text,
    "export const Wide = {\n  FAR: 1267650600228229401496703205376n,\n  NEAR: 3n,\n} as const;",
  );
});

Deno.test("what cannot be called is listed with its reason, and has no definition", () => {
  const list = new TypeList();
  const int = list.int();
  const text = list.module({ log: list.function(int, [["level", int]], true) });
  assertStringIncludes(text, "//   int log(int level, ...): it is variadic\n");
  assertStringIncludes(text, "export const definitions = {} as const;");
});

Deno.test("the text does not depend on the order of the exports", () => {
  const list = new TypeList();
  const [int, double] = [list.int(), list.double()];
  assertEquals(list.module({ a: int, b: double }), list.module({ b: double, a: int }));
});

Deno.test("a class reads and writes every kind of field", async () => {
  const list = new TypeList();
  const [int, double, float] = [
    list.int(),
    list.double(),
    list.add({
      kind: "base",
      name: "float",
      size: 4,
      encoding: "float",
    }),
  ];
  const bool = list.add({ kind: "base", name: "_Bool", size: 1, encoding: "bool" });
  const long = list.int("long", 8);
  const longDouble = list.add({ kind: "base", name: "long double", size: 16, encoding: "float" });
  const point = list.struct("Point", 16, [
    { name: "x", type: double, offset: 0 },
    { name: "y", type: double, offset: 8 },
  ]);
  const floats = list.add({ kind: "array", of: float, count: 3 });
  const points = list.add({ kind: "array", of: point, count: 2 });
  const union = list.add({
    kind: "union",
    name: "",
    size: 8,
    nontrivial: false,
    variants: false,
    bases: [],
    fields: [{ name: "whole", type: long, offset: 0 }, { name: "low", type: int, offset: 0 }],
  });
  const all = list.struct("All", 120, [
    { name: "at", type: point, offset: 0 },
    { name: "floats", type: floats, offset: 16 },
    { name: "flag", type: bool, offset: 28 },
    { name: "small", type: int, offset: 29, bits: [2, 9] },
    { name: "", type: union, offset: 32 },
    { name: "next", type: list.pointer(0), offset: 40 },
    { name: "corners", type: points, offset: 48 },
    { name: "exact", type: longDouble, offset: 80 },
    { name: "open", type: list.add({ kind: "array", of: int, count: undefined }), offset: 96 },
    { name: "beyond", type: long, offset: 116 },
  ]);
  const made = await imported(list.module({ all }));
  const [All, Point] = [made.All as RecordClass, made.Point as RecordClass];
  assertEquals([All.size, Point.size, Point.type], [120, 16, { struct: ["f64", "f64"] }]);
  assertEquals(All.offsets.whole, 32);
  const value = All.of({ at: Point.of({ x: 1, y: 2 }), floats: [3, 4, 5], flag: true, small: -200, low: -1 });
  const view = new DataView(value.$bytes.buffer);
  assertEquals([view.getFloat64(0, true), view.getFloat64(8, true)], [1, 2]);
  assertEquals([view.getFloat32(16, true), view.getFloat32(24, true), view.getUint8(28)], [3, 5, 1]);
  // Bits 2 to 10, counted from byte 29, are -200 in nine bits: 0b100111000.
  assertEquals(view.getUint16(29, true), 0b100111000 << 2);
  assertEquals([value.small, value.low, value.whole], [-200, -1, 0xffff_ffffn]);
  value.corners = [Point.of({ x: 6 }), Point.of({ y: 7 })];
  const corners = value.corners as InstanceType<RecordClass>[];
  assertEquals([corners.length, corners[0].x, corners[1].y], [2, 6, 7]);
  corners[1].y = 8;
  assertEquals([view.getFloat64(48, true), view.getFloat64(72, true)], [6, 8]);
  assertEquals((value.exact as Uint8Array).length, 16);
  assertThrows(() => value.corners = [Point.of({}), Point.of({}), Point.of({})], RangeError);
  assertThrows(() => new All(new Uint8Array(119)), RangeError);
  // Neither a field of open size nor one behind the end has a property.
  assertEquals(["open" in value, "beyond" in value], [false, false]);
  // A class over bytes in the middle of a buffer stays within them.
  const inner = new Point(new Uint8Array(new ArrayBuffer(64), 24, 32));
  inner.x = 9;
  assertEquals([
    inner.$bytes.byteOffset,
    inner.$bytes.length,
    new DataView(inner.$bytes.buffer).getFloat64(24, true),
  ], [
    24,
    16,
    9,
  ]);
});

Deno.test("fields of base classes and of unnamed members are properties; hidden ones get another name", async () => {
  const list = new TypeList();
  const int = list.int();
  const base = list.struct("Base", 8, [{ name: "id", type: int, offset: 0 }, {
    name: "own",
    type: int,
    offset: 4,
  }]);
  const derived = list.add({
    kind: "class",
    name: "geo::Derived<int>",
    size: 12,
    nontrivial: false,
    variants: false,
    bases: [{ type: base, offset: 0 }],
    fields: [{ name: "id", type: int, offset: 8 }],
  });
  const { Derived_int } = await imported(list.module({ derived }));
  assertEquals((Derived_int as RecordClass).offsets, { id: 8, id_2: 0, own: 4 });
});

Deno.test("structs behind pointers in fields are left out, unless all are wanted", () => {
  const list = new TypeList();
  const int = list.int();
  const inner = list.struct("Inner", 4, [{ name: "n", type: int, offset: 0 }]);
  const outer = list.struct("Outer", 8, [{ name: "inner", type: list.pointer(inner), offset: 0 }]);
  const use = list.function(0, [["outer", list.pointer(outer)]]);
  const [some, all] = [list.module({ use }), list.module({ use }, true)];
  assert(some.includes("class Outer ") && !some.includes("class Inner "));
  assert(all.includes("class Outer ") && all.includes("class Inner "));
});

Deno.test("types without a name are called after their typedef or their field", () => {
  const list = new TypeList();
  const int = list.int();
  const unnamed = list.struct("", 4, [{ name: "n", type: int, offset: 0 }]);
  const second = list.struct("", 4, [{ name: "m", type: int, offset: 0 }]);
  const alias = list.add({ kind: "typedef", name: "Alias", to: unnamed });
  const outer = list.struct("Outer", 8, [
    { name: "first", type: alias, offset: 0 },
    { name: "second", type: second, offset: 4 },
  ]);
  const text = list.module({ outer });
  assertEquals([...text.matchAll(/^export class (\w+)/gm)].map(([, name]) => name), [
    "Alias",
    "Outer_second",
    "Outer",
  ]);
});

/** Names that try to end a comment, a string or a literal, or that mean something to JavaScript. */
const HOSTILE = [
  "*/ globalThis.broken = true; /*",
  '"]: globalThis.broken = true, ["',
  "`${globalThis.broken = true}`",
  "\n globalThis.broken = true;\n//",
  "\u2028globalThis.broken = true",
  "__proto__",
  "constructor",
  "prototype",
  "$bytes",
  "class",
  "default",
  "any",
  "definitions",
  "Uint8Array",
  "bytesOf",
  "0",
  "",
  "漢字",
  "a b",
  "\\",
  "\u202eevil",
  "\ud800",
];

Deno.test("names can neither break out of the text nor change what it means", async () => {
  const list = new TypeList();
  const int = list.int();
  const fields = HOSTILE.map((name, index) => ({ name, type: int, offset: 4 * index }));
  const exports: Record<string, number> = {};
  // A key of this name would otherwise set the prototype of this very object.
  Object.setPrototypeOf(exports, null);
  for (const name of HOSTILE) {
    list.struct(name, 4 * fields.length, fields);
    const values: Record<string, number> = Object.create(null);
    HOSTILE.forEach((value, index) => values[value] = index);
    const options = list.enum(name, int, values);
    exports[name] = list.function(int, [[name, list.pointer(list.types.length - 2)], [name, options]]);
  }
  const text = list.module(exports);
  const made = await imported(text);
  assertEquals((globalThis as { broken?: boolean }).broken, undefined);
  assertEquals(Object.keys(made.definitions as object).sort(), Object.keys(exports).sort());
  assertEquals(Object.getPrototypeOf(made.definitions), Object.prototype);
  const classes = Object.values(made).filter((value) => typeof value === "function") as RecordClass[];
  assertEquals(classes.length, HOSTILE.length);
  const value = new classes[0]();
  for (const [name, offset] of Object.entries(classes[0].offsets)) {
    if (name === "") continue;
    value[name] = offset + 1;
    assertEquals(new DataView(value.$bytes.buffer).getInt32(offset, true), offset + 1, name);
  }
  using folder = new TemporaryDirectory();
  const path = folder.file("hostile.ts", new TextEncoder().encode(text));
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--no-config", path],
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});

Deno.test("unnamed records and base classes within each other, twice at each level, take bounded time", () => {
  const list = new TypeList();
  let inner = list.int();
  for (let depth = 0; depth < 60; depth++) {
    inner = list.add({
      kind: "struct",
      name: depth === 59 ? "Deep" : "",
      size: 8,
      nontrivial: false,
      variants: false,
      bases: depth === 0 ? [] : [{ type: inner, offset: 0 }, { type: inner, offset: 0 }],
      fields: [{ name: "", type: inner, offset: 0 }, { name: "", type: inner, offset: 4 }],
    });
  }
  assertStringIncludes(list.module({ inner }), "export class Deep {");
});

Deno.test("types of namespaces have short names, unless two share one", () => {
  const list = new TypeList();
  const fields = [{ name: "n", type: list.int(), offset: 0 }];
  const [a, b, c, d] = ["geo::Point", "a::Size", "b::Size", "std::vector<a::Size>"]
    .map((name, i) => list.struct(name, 4 + i, fields));
  const text = list.module({ a, b, c, d });
  assertEquals([...text.matchAll(/^export class (\w+)/gm)].map(([, name]) => name), [
    "Point",
    "a_Size",
    "b_Size",
    "vector_a_Size",
  ]);
});
