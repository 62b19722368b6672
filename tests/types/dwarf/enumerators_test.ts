// Constants of debug information in every form: values of enumerators and numbers of elements.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../../src/errors/load_error.ts";
import { linkObjects } from "../../../src/link/linker.ts";
import { parseSmf } from "../../../src/smf/file.ts";
import { ATTRIBUTES as At, Form, Tag } from "../../../src/types/dwarf/constants.ts";
import type { TypeRecord } from "../../../src/types/model.ts";
import { compile, testWithCompilers } from "../../support/compilers.ts";
import { type Attribute, collected, type Die, dwarf, variableOf } from "../../support/dwarf.ts";
import { typesIn } from "../../support/types.ts";

/** An attribute's form and the bytes of its value; of `implicitConst`, those in the abbreviation. */
type Constant = readonly [form: number, ...bytes: number[]];

/** Types of a variable whose type is an enumeration (or an array) that each constant describes. */
function typesOf(
  constants: readonly Constant[],
  underlying: { readonly encoding: number; readonly size: number } | undefined,
  of: { readonly tag: number; readonly child: number; readonly attribute: number } = {
    tag: Tag.enumeration,
    child: Tag.enumerator,
    attribute: At.constValue,
  },
): (TypeRecord | undefined)[] {
  const { encoding = 5, size = 8 } = underlying ?? {};
  const base: Die = {
    tag: Tag.base,
    label: "base",
    attributes: [[At.byteSize, Form.data1, size], [At.encoding, Form.data1, encoding]],
  };
  const attributes: Attribute[] = [[At.byteSize, Form.data1, size]];
  if (underlying !== undefined) attributes.push([At.type, Form.ref4, "base"]);
  const children = constants.map((constant): Die => ({
    tag: of.child,
    attributes: [[of.attribute, ...constant]],
  }));
  return collected(dwarf(variableOf({ tag: of.tag, attributes, children }, base)));
}

function valuesOf(
  constants: readonly Constant[],
  underlying?: { readonly encoding: number; readonly size: number },
): (number | bigint)[] {
  const type = typesOf(constants, underlying)[1];
  assert(type?.kind === "enum");
  return type.enumerators.map(({ value }) => value);
}

const ONES = new Array(7).fill(0xff);
/** LEB128 of 2^64 - 1 as an unsigned number. */
const MOST_U64: Constant = [Form.udata, ...new Array(9).fill(0xff), 0x01];
const UNSIGNED = (size: number) => ({ encoding: 0x07, size });
const SIGNED = (size: number) => ({ encoding: 0x05, size });

Deno.test("enumerators above 2^53 are exact in every form", () => {
  const forms: Constant[] = [
    [Form.data8, ...ONES, 0xff],
    [Form.data8, 1, 0, 0, 0, 0, 0, 0x20, 0],
    MOST_U64,
    [Form.udata, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
    // -1, of 64 bits without a sign.
    [Form.sdata, 0x7f],
    [Form.implicitConst, 0x7f],
    [Form.implicitConst, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
    [Form.block1, 8, 3, 0, 0, 0, 0, 0, 0, 0x80],
    [Form.data1, 0xff],
    [Form.data2, 0xff, 0xff],
    [Form.data4, 0xff, 0xff, 0xff, 0xff],
    [Form.indirect, Form.data8, ...ONES, 0x1f],
    [Form.indirect, Form.data8, ...ONES, 0],
  ];
  assertEquals(valuesOf(forms, UNSIGNED(8)), [
    0xffffffffffffffffn,
    0x20000000000001n,
    0xffffffffffffffffn,
    0x20000000000001n,
    0xffffffffffffffffn,
    0xffffffffffffffffn,
    0x20000000000001n,
    0x8000000000000003n,
    0xff,
    0xffff,
    0xffffffff,
    0x1fffffffffffffffn,
    0xffffffffffffffn,
  ]);
});

Deno.test("enumerators below -2^53 are exact, and those of a type with a sign have one", () => {
  const lowest: Constant = [Form.sdata, ...new Array(9).fill(0x80), 0x7f];
  assertEquals(
    valuesOf([
      lowest,
      [Form.implicitConst, ...lowest.slice(1)],
      [Form.data8, 0, 0, 0, 0, 0, 0, 0, 0x80],
      [Form.data8, ...ONES, 0xff],
      [Form.sdata, 0x7f],
      // -1 in more bytes than it needs.
      [Form.sdata, ...new Array(9).fill(0xff), 0x7f],
      [Form.sdata, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x6f],
      [Form.data1, 0xc8],
    ], SIGNED(8)),
    [
      -0x8000000000000000n,
      -0x8000000000000000n,
      -0x8000000000000000n,
      -1,
      -1,
      -1,
      -0x20000000000001n,
      0xc8,
    ],
  );
  assertEquals(valuesOf([[Form.data1, 0xff], [Form.data1, 0x7f]], SIGNED(1)), [-1, 127]);
  assertEquals(valuesOf([[Form.data1, 0xff], [Form.sdata, 0x7f]], UNSIGNED(1)), [255, 255]);
});

Deno.test("enumerators of 128 bits are exact", () => {
  const sixteen = (byte: number, last: number) => [...new Array(15).fill(byte), last];
  const constants: Constant[] = [
    [Form.data16, ...sixteen(0, 0x80)],
    [Form.block1, 16, ...sixteen(0xff, 0xff)],
    [Form.block, 16, ...sixteen(1, 0)],
    [Form.data1, 2],
  ];
  const one = 0x010101010101010101010101010101n;
  assertEquals(valuesOf(constants, UNSIGNED(16)), [1n << 127n, (1n << 128n) - 1n, one, 2]);
  assertEquals(valuesOf(constants, SIGNED(16)), [-(1n << 127n), -1, one, 2]);
});

Deno.test("without the type that holds it, an enumeration has a sign if a value has one", () => {
  assertEquals(valuesOf([[Form.data8, ...ONES, 0xff], [Form.data1, 1]]), [0xffffffffffffffffn, 1]);
  assertEquals(valuesOf([[Form.data8, ...ONES, 0xff], [Form.sdata, 0x7e]]), [-1, -2]);
});

Deno.test("an enumerator without a value is damage", () => {
  for (const form of [Form.exprloc, Form.block1]) {
    assertThrows(() => valuesOf([[form, 0]]), LoadError, "the value of an enumerator is not a constant");
  }
  assertThrows(() => valuesOf([[Form.block1, 17, ...new Array(17).fill(1)]]), LoadError, "not a constant");
});

Deno.test("a number of elements that is not a constant, or is too large, stays open", () => {
  const count = (attribute: number, constant: Constant) => {
    const type = typesOf([constant], SIGNED(4), { tag: Tag.array, child: Tag.subrange, attribute })[1];
    assert(type?.kind === "array");
    return type.count;
  };
  assertEquals(count(At.count, [Form.data1, 9]), 9);
  assertEquals(count(At.upperBound, [Form.data2, 0xff, 0]), 256);
  assertEquals(count(At.upperBound, [Form.sdata, 0x7f]), 0);
  assertEquals(count(At.upperBound, [Form.implicitConst, 3]), 4);
  assertEquals(count(At.upperBound, MOST_U64), undefined);
  assertEquals(count(At.upperBound, [Form.data8, ...ONES, 0xff]), undefined);
  assertEquals(count(At.count, [Form.data16, 5, ...new Array(15).fill(0)]), 5);
  for (
    const open of [
      [Form.exprloc, 1, 0x97],
      [Form.block1, 1, 0x97],
      [Form.ref1, 14],
      [Form.ref2, 14, 0],
      [Form.ref4, 14, 0, 0, 0],
      [Form.ref8, 14, 0, 0, 0, 0, 0, 0, 0],
      [Form.refAddr, 14, 0, 0, 0],
      [Form.loclistx, 1],
      [Form.secOffset, 4, 0, 0, 0],
    ] as const
  ) assertEquals(count(At.upperBound, open), undefined, `form ${open[0]}`);
});

/** The values of all enumerations of an object's exports, by name. */
function valuesIn(path: string, exports: string[]): Record<string, bigint> {
  const file = parseSmf(linkObjects([{ name: "a.o", bytes: Deno.readFileSync(path) }], { exports }).bytes);
  const values: Record<string, bigint> = {};
  for (const type of typesIn(file).types) {
    for (const { name, value } of type?.kind === "enum" ? type.enumerators : []) {
      assertEquals(typeof value, Number.isSafeInteger(Number(value)) ? "number" : "bigint", name);
      values[name] = BigInt(value);
    }
  }
  return values;
}

const C = `
enum big { TOP = 0xffffffffffffffffull, ONE = 1, HALF = 0x8000000000000001ull };
enum low { LOWEST = -0x7fffffffffffffffll - 1, HIGHEST = 0x7fffffffffffffffll, MINUS = -1, BYTE = 200 };
enum odd { ODD = 0x20000000000001ull };
enum big big(enum big e) { return e; }
enum low low(enum low e) { return e; }
enum odd odd(enum odd e) { return e; }
`;

const C_VALUES = {
  TOP: (1n << 64n) - 1n,
  ONE: 1n,
  HALF: (1n << 63n) + 1n,
  LOWEST: -(1n << 63n),
  HIGHEST: (1n << 63n) - 1n,
  MINUS: -1n,
  BYTE: 200n,
  ODD: (1n << 53n) + 1n,
};

const CPP = `
enum class Big : unsigned long { Top = ~0ul, Half = 1ul << 63, Three = 3 };
typedef long number;
enum class Low : number { Lowest = -0x7fffffffffffffffl - 1, Odd = 0x20000000000001l };
enum class Small : signed char { Minus = -1, Most = 127 };
enum class Wide : unsigned __int128 { WideTop = (unsigned __int128) -1, WideOne = 1 };
enum class Deep : __int128 { Deepest = -((__int128) 1 << 100) - 1, DeepTwo = 2 };
extern "C" Big big(Big e) { return e; }
extern "C" Low low(Low e) { return e; }
extern "C" Small small(Small e) { return e; }
extern "C" int wide(Wide *e) { return e != 0; }
extern "C" int deep(Deep *e) { return e != 0; }
`;

const CPP_VALUES = {
  Top: (1n << 64n) - 1n,
  Half: 1n << 63n,
  Three: 3n,
  Lowest: -(1n << 63n),
  Odd: (1n << 53n) + 1n,
  Minus: -1n,
  Most: 127n,
  WideTop: (1n << 128n) - 1n,
  WideOne: 1n,
  Deepest: -(1n << 100n) - 1n,
  DeepTwo: 2n,
};

for (const [c, cpp] of [["gcc", "g++"], ["clang", "clang++"]]) {
  testWithCompilers([c, cpp], `${c}: enumerators of C and C++ are exact`, async (folder) => {
    Deno.writeTextFileSync(`${folder}/a.c`, C);
    Deno.writeTextFileSync(`${folder}/b.cc`, CPP);
    for (const version of [4, 5]) {
      const flags = ["-g", `-gdwarf-${version}`, "-fPIC", "-c"];
      await compile(c, [...flags, "a.c", "-o", "a.o"], folder);
      assertEquals(valuesIn(`${folder}/a.o`, ["big", "low", "odd"]), C_VALUES);
      await compile(cpp, [...flags, "b.cc", "-o", "b.o"], folder);
      const exports = ["big", "low", "small", "wide", "deep"];
      assertEquals(valuesIn(`${folder}/b.o`, exports), CPP_VALUES);
    }
  });
}

const ALSO = {
  Top: (1n << 64n) - 1n,
  Half: (1n << 63n) + 1n,
  Four: 4n,
  Lowest: -(1n << 63n),
  Odd: (1n << 53n) + 1n,
};

testWithCompilers(["rustc"], "Rust: discriminants of 64 bits are exact", async (folder) => {
  Deno.writeTextFileSync(
    `${folder}/a.rs`,
    `#[repr(u64)] #[derive(Clone, Copy)] pub enum Big { Top = !0, Half = (1 << 63) + 1, Four = 4 }
#[repr(i64)] #[derive(Clone, Copy)] pub enum Low { Lowest = i64::MIN, Odd = (1 << 53) + 1 }
#[no_mangle] pub extern "C" fn big(e: Big) -> Big { e }
#[no_mangle] pub extern "C" fn low(e: Low) -> Low { e }
`,
  );
  const flags = ["-g", "-O", "-Cpanic=abort", "--crate-type", "lib", "--emit", "obj"];
  await compile("rustc", [...flags, "a.rs"], folder);
  assertEquals(valuesIn(`${folder}/a.o`, ["big", "low"]), ALSO);
});

testWithCompilers(["zig"], "Zig: enumerations of 64 bits are exact", async (folder) => {
  Deno.writeTextFileSync(
    `${folder}/a.zig`,
    `const Big = enum(u64) { Top = 0xffffffffffffffff, Half = 0x8000000000000001, Four = 4 };
const Low = enum(i64) { Lowest = -0x8000000000000000, Odd = 0x20000000000001 };
export fn big(e: Big) Big { return e; }
export fn low(e: Low) Low { return e; }
`,
  );
  const flags = ["-O", "ReleaseSafe", "-fPIC", "-mcpu=baseline"];
  await compile("zig", ["build-obj", ...flags, "a.zig"], folder);
  assertEquals(valuesIn(`${folder}/a.o`, ["big", "low"]), ALSO);
});
