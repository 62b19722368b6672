import { assertEquals } from "@std/assert";
import type { Integer } from "../../src/types/integer.ts";
import { Migration } from "../../src/types/migration.ts";
import type { BaseEncoding } from "../../src/types/model.ts";
import { movedTo, placeOf, takeSteps } from "../../src/types/steps.ts";
import type { TypePlan } from "../../src/types/type_plan.ts";
import { Types } from "../support/typed_modules.ts";

/** Plans between one type of each of two versions. */
function plan(old: (types: Types) => number, now: (types: Types) => number): TypePlan {
  const [before, after] = [new Types(), new Types()];
  const [from, to] = [old(before), now(after)];
  return new Migration(before.list, after.list).plan(from, to);
}

function convert({ steps }: TypePlan, from: Uint8Array, size: number): Uint8Array {
  const to = new Uint8Array(size).fill(0xee);
  takeSteps(steps, from, to);
  return to;
}

const int = (types: Types) => types.base("int", 4, "signed");

type Kind = readonly [name: string, size: number, encoding: BaseEncoding];

Deno.test("numbers become wider numbers if each value has an equal one, and no others", () => {
  const kinds: Record<string, Kind> = {
    i8: ["signed char", 1, "signed"],
    u8: ["unsigned char", 1, "unsigned"],
    i16: ["short", 2, "signed"],
    u16: ["unsigned short", 2, "unsigned"],
    i32: ["int", 4, "signed"],
    u32: ["unsigned int", 4, "unsigned"],
    i64: ["long", 8, "signed"],
    u64: ["unsigned long", 8, "unsigned"],
    f32: ["float", 4, "float"],
    f64: ["double", 8, "float"],
    bool: ["_Bool", 1, "bool"],
  };
  /** The types that hold every value of another: a table of its own, not the rule of the code. */
  const wider: Record<string, string> = {
    i8: "i16 i32 i64 f32 f64",
    u8: "i16 u16 i32 u32 i64 u64 f32 f64",
    i16: "i32 i64 f32 f64",
    u16: "i32 u32 i64 u64 f32 f64",
    i32: "i64 f64",
    u32: "i64 u64 f64",
    i64: "",
    u64: "",
    f32: "f64",
    f64: "",
    bool: "i8 u8 i16 u16 i32 u32 i64 u64 f32 f64",
  };
  for (const [from, before] of Object.entries(kinds)) {
    for (const [to, after] of Object.entries(kinds)) {
      const { fate } = plan((types) => types.base(...before), (types) => types.base(...after));
      const expected = from === to ? "same" : wider[from].split(" ").includes(to) ? "changed" : "fresh";
      assertEquals(fate, expected, `${from} → ${to}`);
    }
  }
});

Deno.test("wider numbers have the same values, also the lowest and the highest", () => {
  const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer);
  const cases: [Kind, ArrayBufferView, Kind, ArrayBufferView][] = [
    [["a", 2, "signed"], Int16Array.of(-2), ["b", 8, "signed"], BigInt64Array.of(-2n)],
    [["a", 1, "unsigned"], Uint8Array.of(255), ["b", 4, "unsigned"], Uint32Array.of(255)],
    [["a", 4, "unsigned"], Uint32Array.of(2 ** 32 - 1), ["b", 8, "signed"], BigInt64Array.of(0xffffffffn)],
    [["a", 4, "signed"], Int32Array.of(-(2 ** 31)), ["b", 8, "float"], Float64Array.of(-(2 ** 31))],
    [["a", 2, "unsigned"], Uint16Array.of(65535), ["b", 4, "float"], Float32Array.of(65535)],
    [["a", 4, "float"], Float32Array.of(-0.1), ["b", 8, "float"], Float64Array.of(Math.fround(-0.1))],
    [["a", 1, "bool"], Uint8Array.of(1), ["b", 4, "signed"], Int32Array.of(1)],
  ];
  for (const [before, value, after, expected] of cases) {
    const found = plan((types) => types.base(...before), (types) => types.base(...after));
    assertEquals(convert(found, bytesOf(value), after[1]), bytesOf(expected), `${before} → ${after}`);
  }
});

Deno.test("typedefs and qualifiers change nothing", () => {
  const named = (types: Types) =>
    types.add({ kind: "typedef", name: "count_t", to: types.add({ kind: "const", to: int(types) }) });
  assertEquals(plan(int, named).fate, "same");
});

Deno.test("an enumeration follows another one if all its names keep their values", () => {
  const mode = (names: Record<string, Integer>, size = 4) => (types: Types) =>
    types.add({
      kind: "enum",
      name: "mode",
      size,
      underlying: types.base("unsigned int", 4, "unsigned"),
      enumerators: Object.entries(names).map(([name, value]) => ({ name, value })),
    });
  const old = mode({ OFF: 0, ON: 1 });
  assertEquals(plan(old, mode({ OFF: 0, ON: 1, FAST: 2 })).fate, "same");
  assertEquals(plan(old, mode({ OFF: 0, ON: 2 })).reason, "ON was 1, is 2");
  assertEquals(plan(old, mode({ OFF: 0 })).reason, "ON of its enumeration is gone");
  const [top, below] = [2n ** 64n - 1n, 2n ** 64n - 2n].map((TOP) => mode({ TOP }, 8));
  assertEquals(plan(top, top).fate, "same");
  assertEquals(plan(top, below).reason, "TOP was 18446744073709551615, is 18446744073709551614");
  assertEquals(plan(old, (types) => types.base("long", 8, "signed")).fate, "changed");
  assertEquals(plan((types) => types.base("unsigned int", 4, "unsigned"), old).fate, "fresh");
});

Deno.test("an array keeps the elements that both versions have", () => {
  const array = (count: number) => (types: Types) => types.add({ kind: "array", of: int(types), count });
  const grown = plan(array(2), array(3));
  assertEquals(
    convert(grown, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 12).join(),
    "1,2,3,4,5,6,7,8,238,238,238,238",
  );
  assertEquals(grown.change, "2 → 3 elements, of which the first 2 keep their values");
  const shrunk = plan(array(2), array(1));
  assertEquals(convert(shrunk, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 4).join(), "1,2,3,4");
  assertEquals(plan(array(2), int).reason, "its type was int [2], is int");
});

Deno.test("text that is cut still ends, other bytes are cut as they are", () => {
  const chars = (count: number, name = "char") => (types: Types) =>
    types.add({ kind: "array", of: types.base(name, 1, "signed"), count });
  const text = new TextEncoder().encode("hello\0");
  assertEquals(convert(plan(chars(6), chars(4)), text, 4), new TextEncoder().encode("hel\0"));
  assertEquals(
    convert(plan(chars(6), chars(4)), new TextEncoder().encode("hi\0abc"), 4).join(),
    "104,105,0,97",
  );
  const endless = new TextEncoder().encode("endles");
  assertEquals(convert(plan(chars(6), chars(4)), endless, 4), endless.slice(0, 4));
  const bytes = plan(chars(6, "signed char"), chars(4, "signed char"));
  assertEquals(convert(bytes, text, 4), text.slice(0, 4));
});

Deno.test("fields are carried by name, nested structs too; new ones stay as the new version has them", () => {
  const old = (types: Types) => {
    const vec = types.struct("vec", 8, { x: [types.base("float", 4, "float"), 0], y: [int(types), 4] });
    return types.struct("body", 16, { at: [vec, 0], gone: [int(types), 8], kind: [int(types), 12] });
  };
  const now = (types: Types) => {
    const float = types.base("float", 4, "float");
    const vec = types.struct("vec", 12, { y: [int(types), 0], z: [float, 4], x: [float, 8] });
    return types.struct("body", 24, {
      mass: [float, 0],
      kind: [types.base("long", 8, "signed"), 4],
      at: [vec, 12],
    });
  };
  const found = plan(old, now);
  const bytes = Uint8Array.of(1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 0, 0, 0x80);
  assertEquals([...convert(found, bytes, 24)], [
    ...[0xee, 0xee, 0xee, 0xee],
    ...[4, 0, 0, 0x80, 0xff, 0xff, 0xff, 0xff],
    ...[2, 2, 2, 2, 0xee, 0xee, 0xee, 0xee, 1, 1, 1, 1],
  ]);
  assertEquals(found.structs, [
    "struct vec: + float z; y, x keep their values",
    "struct body: + float mass; kind: int → long; - gone; at keeps its value",
  ]);
  assertEquals(found.fresh.map(({ path, isNew }) => [path, isNew]), [[".mass", true], [".at.z", true]]);
});

Deno.test("bit-fields are carried by name into others and into integers, with their sign", () => {
  const flags = (a: [number, number], b: [number, number]) => (types: Types) =>
    types.record({
      name: "flags",
      size: 4,
      fields: [
        { name: "a", type: types.base("unsigned int", 4, "unsigned"), offset: 0, bits: a },
        { name: "b", type: int(types), offset: 0, bits: b },
      ],
    });
  // a: 5 in bits 0 to 2, b: -3 in bits 3 to 7.
  const bytes = Uint8Array.of(5 | (0b11101 << 3), 0, 0, 0);
  const to = new Uint8Array(4);
  takeSteps(plan(flags([0, 3], [3, 5]), flags([9, 4], [0, 9])).steps, bytes, to);
  const value = new DataView(to.buffer).getUint32(0, true);
  assertEquals([value >>> 9, (value << 23) >> 23], [5, -3]);
  const widened = plan(
    flags([0, 3], [3, 5]),
    (types) => types.struct("flags", 8, { b: [int(types), 0], a: [int(types), 4] }),
  );
  assertEquals(new Int32Array(convert(widened, bytes, 8).buffer).join(), "-3,5");
  const narrowed = plan(flags([0, 3], [3, 5]), flags([0, 2], [3, 5]));
  assertEquals(narrowed.fresh.map(({ path, isNew }) => [path, isNew]), [[".a", false]]);
});

Deno.test("unions, and objects with destructors, are carried whole or not at all", () => {
  const union = (size: number) => (types: Types) =>
    types.record({
      kind: "union",
      name: "u",
      size: 8,
      fields: [{ name: "i", type: int(types), offset: 0 }, {
        name: "n",
        type: types.base("number", size, "signed"),
        offset: 0,
      }],
    });
  assertEquals(plan(union(4), union(4)).fate, "same");
  assertEquals(plan(union(4), union(8)).reason, "the members of union u have changed");
  const object = (nontrivial: boolean) => (types: Types) =>
    types.record({
      kind: "class",
      name: "File",
      size: 4,
      nontrivial,
      fields: [{ name: "fd", type: int(types), offset: 0 }],
    });
  assertEquals(plan(object(false), object(false)).fate, "same");
  assertEquals(
    plan(object(true), object(true)).reason,
    "class File has a destructor, a copy constructor or virtual functions, so its bytes are not its value",
  );
});

Deno.test("a pointer follows its type by name; a pointer to something else starts anew", () => {
  const node = (size: number, name = "node") => (types: Types) => {
    const fields: Record<string, [number, number]> = { value: [int(types), 0] };
    if (size > 4) fields.weight = [int(types), 4];
    return types.pointer(types.struct(name, size, fields));
  };
  const followed = plan(node(4), node(8));
  assertEquals(followed.fate, "same");
  assertEquals(followed.pointees.length, 1);
  assertEquals(plan(node(4), node(4, "edge")).reason, "its type was struct node *, is struct edge *");
  assertEquals(plan((types) => types.pointer(0), node(4)).fate, "same");
  const to = (name: string, size: number, encoding: BaseEncoding) => (types: Types) =>
    types.pointer(types.base(name, size, encoding));
  assertEquals(plan(to("int", 4, "signed"), to("unsigned int", 4, "unsigned")).fate, "same");
  assertEquals(plan(to("float", 4, "float"), to("double", 8, "float")).fate, "fresh");
});

Deno.test("anonymous structs and unions are known by their fields", () => {
  const old = (types: Types) => {
    const inner = types.struct("", 8, { x: [int(types), 0], y: [int(types), 4] });
    const union = types.record({
      kind: "union",
      size: 4,
      fields: [{ name: "i", type: int(types), offset: 0 }],
    });
    return types.record({
      name: "s",
      size: 12,
      fields: [{ name: "", type: inner, offset: 0 }, { name: "", type: union, offset: 8 }],
    });
  };
  const now = (types: Types) => {
    const union = types.record({
      kind: "union",
      size: 4,
      fields: [{ name: "i", type: int(types), offset: 0 }],
    });
    return types.record({
      name: "s",
      size: 12,
      fields: [
        { name: "", type: union, offset: 0 },
        { name: "y", type: int(types), offset: 4 },
        { name: "x", type: int(types), offset: 8 },
      ],
    });
  };
  const bytes = new Uint8Array(Int32Array.of(1, 2, 3).buffer);
  assertEquals(new Int32Array(convert(plan(old, now), bytes, 12).buffer).join(), "3,2,1");
});

Deno.test("words and addresses inside move with their fields", () => {
  const before = new Types(), after = new Types();
  const float = before.base("float", 4, "float");
  const old = before.struct("p", 16, { x: [float, 0], next: [before.pointer(0), 8] });
  const now = after.struct("p", 24, {
    mass: [after.base("float", 4, "float"), 0],
    x: [after.base("float", 4, "float"), 4],
    next: [after.pointer(0), 16],
  });
  const { steps } = new Migration(before.list, after.list).plan(
    before.add({ kind: "array", of: old, count: 3 }),
    after.add({ kind: "array", of: now, count: 3 }),
  );
  assertEquals(movedTo(steps, 16 + 8, 8), 24 + 16);
  assertEquals(movedTo(steps, 16 + 4, 8), undefined);
  // The second element and its first field begin together in the old version.
  assertEquals(placeOf(steps, 16, old), 24);
  assertEquals(placeOf(steps, 16, float), 24 + 4);
  assertEquals(placeOf(steps, 16, undefined), undefined);
  assertEquals(placeOf(steps, 16 + 8, undefined), 24 + 16);
});

Deno.test("types whose fields lie over each other or outside cost no time and write nothing outside", () => {
  const deep = (change: number) => (types: Types) => {
    let type = types.struct("s0", 1 + change, { a: [types.base("c", 1, "signed"), 0] });
    for (let level = 1; level < 60; level++) {
      type = types.struct(`s${level}`, 1 + change, { a: [type, 0], b: [type, 0] });
    }
    return type;
  };
  assertEquals(plan(deep(0), deep(1)).fate, "fresh");
  const outside = (offset: number) => (types: Types) => types.struct("s", 8, { a: [int(types), offset] });
  assertEquals(plan(outside(0), outside(6)).reason, "the fields of struct s are larger than it is");
});
