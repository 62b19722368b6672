// The table of the guide that says what a reload does when types change, against the code that does it.
import { assert, assertEquals } from "@std/assert";
import { TypedPair } from "../../src/image/typed_variables.ts";
import { parseSmf } from "../../src/smf/file.ts";
import { ModuleTypes } from "../../src/smf/types.ts";
import type { BaseEncoding, TypeField } from "../../src/types/model.ts";
import { TypedAddresses } from "../../src/types/typed_addresses.ts";
import { Markdown } from "../support/markdown.ts";
import { build, ROUTINES } from "../support/modules.ts";
import { Types } from "../support/typed_modules.ts";

type Make = (types: Types) => number;

const base = (name: string, size: number, encoding: BaseEncoding): Make => (types) =>
  types.base(name, size, encoding);
const [int, long] = [base("int", 4, "signed"), base("long", 8, "signed")];
const unsigned = base("unsigned int", 4, "unsigned");
const [float, double] = [base("float", 4, "float"), base("double", 8, "float")];
const struct = (name: string, fields: readonly string[], of: Make = int): Make => (types) => {
  const type = of(types), size = of === long || of === double ? 8 : 4;
  return types.struct(
    name,
    size * fields.length,
    Object.fromEntries(fields.map((field, index) => [field, [type, size * index]])),
  );
};
const record = (
  kind: "union" | "class" | "struct",
  size: number,
  make: (types: Types) => TypeField[],
  more = {},
) => ((types) => types.record({ kind, name: "s", size, fields: make(types), ...more })) satisfies Make;
const enumeration = (values: Record<string, number>): Make => (types) =>
  types.add({
    kind: "enum",
    name: "mode",
    size: 4,
    underlying: unsigned(types),
    enumerators: Object.entries(values).map(([name, value]) => ({ name, value })),
  });
const array = (of: Make, count: number): Make => (types) =>
  types.add({ kind: "array", of: of(types), count });
const pointer = (to: Make): Make => (types) => types.pointer(to(types));
const bits = (offset: number, count: number): Make =>
  record("struct", 4, (types) => [{ name: "a", type: unsigned(types), offset: 0, bits: [offset, count] }]);
const member = (of: Make): Make => record("union", 8, (types) => [{ name: "m", type: of(types), offset: 0 }]);
const object = record("class", 4, (types) => [{ name: "m", type: int(types), offset: 0 }], {
  nontrivial: true,
});
const fn = (result: Make, parameter: Make, name: string): Make => (types) =>
  types.add({
    kind: "function",
    result: result(types),
    parameters: [{ name, type: parameter(types) }],
    variadic: false,
    prototyped: true,
  });
const named: Make = (types) => types.add({ kind: "typedef", name: "int_t", to: int(types) });

/** By the first words of a row: types before and after, each pair an example; `size` is that of the symbol. */
const CASES: Record<string, { pairs: [Make, Make][]; use?: true; size?: number }> = {
  "another name of the same type": { pairs: [[int, named], [struct("a", ["x"]), struct("b", ["x"])]] },
  "a wider integer": { pairs: [[int, long], [base("unsigned char", 1, "unsigned"), int]] },
  "`float` → `double`": { pairs: [[float, double]] },
  "an integer → a floating-point number": { pairs: [[int, double]] },
  "a narrower number": { pairs: [[long, int], [double, float]] },
  "another sign": { pairs: [[int, unsigned], [unsigned, int]] },
  "something else of the same size": { pairs: [[int, float], [float, int]] },
  "an enumeration with further names": { pairs: [[enumeration({ A: 0 }), enumeration({ A: 0, B: 1 })]] },
  "an enumeration in which": {
    pairs: [[enumeration({ A: 0 }), enumeration({ B: 0 })], [enumeration({ A: 0 }), enumeration({ A: 1 })]],
  },
  "an array of another length": { pairs: [[array(int, 2), array(int, 3)], [array(int, 3), array(int, 2)]] },
  "a struct with fields": {
    pairs: [
      [struct("s", ["x"]), struct("s", ["x", "y"])],
      [struct("s", ["x", "y"]), struct("s", ["y", "x"])],
      [array(struct("s", ["x", "y"]), 2), array(struct("s", ["x"]), 2)],
    ],
  },
  "a bit-field": { pairs: [[bits(0, 3), bits(5, 3)], [bits(0, 3), bits(0, 4)]] },
  "a union": { pairs: [[member(int), member(long)]] },
  "a C++ object": { pairs: [[object, object]] },
  "a pointer to a struct": { pairs: [[pointer(struct("s", ["x"])), pointer(struct("s", ["x", "y"]))]] },
  "a pointer to another type": { pairs: [[pointer(float), pointer(double)]] },
  "a variable whose size": { pairs: [[int, int]], size: 1 },
  "a parameter or result": {
    pairs: [[fn(int, int, "a"), fn(long, int, "a")], [fn(int, int, "a"), fn(int, double, "a")]],
    use: true,
  },
  "names of parameters": {
    pairs: [[fn(int, int, "a"), fn(int, named, "b")], [fn(int, int, "a"), fn(unsigned, int, "a")]],
    use: true,
  },
  "the layout of a variable": {
    pairs: [
      [struct("s", ["x"]), struct("s", ["x", "y"])],
      [array(int, 2), array(int, 3)],
      [struct("s", ["x"], int), struct("s", ["x"], float)],
    ],
    use: true,
  },
  "a number that a live binding": { pairs: [[long, double], [int, long]], use: true },
};

/** What happens to a variable or function of these types. */
function fate(before: Make, after: Make, use: boolean, size: number | undefined): string {
  const [old, now] = [before, after].map((make) => {
    const types = new Types();
    const type = make(types);
    const bytes = new Uint8Array(size ?? sizeOf(types, type));
    const file = parseSmf(build({ routines: { f: ROUTINES.add32 }, data: { v: bytes } }));
    const name = use && types.list[type]!.kind === "function" ? "f" : "v";
    const symbol = file.symbols.find(name)!;
    const typed = new TypedAddresses(Float64Array.of(symbol.value), Uint32Array.of(type));
    const decoded = { types: types.list, typed, recordsLength: 0 };
    return { index: symbol.index, version: { file, types: new ModuleTypes(decoded) } };
  });
  const pair = new TypedPair(old.version, now.version);
  if (use) return pair.changedUse(old.index, now.index) === undefined ? "carried" : "refused";
  const fates = { same: "carried", changed: "converted", fresh: "fresh" };
  return fates[pair.plan(old.index, now.index)!.fate];
}

/** The size of the types that this test makes; functions count as one byte of data that nobody looks at. */
function sizeOf(types: Types, id: number): number {
  const type = types.list[id]!;
  switch (type.kind) {
    case "typedef":
      return sizeOf(types, type.to);
    case "pointer":
      return 8;
    case "array":
      return type.count! * sizeOf(types, type.of);
    case "function":
      return 1;
    default:
      return (type as { size?: number }).size!;
  }
}

Deno.test("the guide says what a reload does when types change", () => {
  const text = Deno.readTextFileSync(new URL("../../docs/guide.md", import.meta.url));
  assert(new Markdown("docs/guide.md").anchors().includes("when-types-change"));
  const section = text.split("### When types change\n")[1].split("\n## ")[0];
  const rows = [...section.matchAll(/^\| (.*?) +\| (\w+).*\|$/gm)].slice(1).map((
    [, what, fate],
  ) => [what, fate]);
  const unknown = new Set(Object.keys(CASES));
  for (const [what, expected] of rows) {
    const key = Object.keys(CASES).find((key) => what.startsWith(key));
    assert(key !== undefined, `no example for the row: ${what}`);
    unknown.delete(key);
    const { pairs, use = false, size } = CASES[key];
    for (const [index, [before, after]] of pairs.entries()) {
      assertEquals(fate(before, after, use, size), expected, `${what} (${index})`);
    }
  }
  assertEquals([...unknown], []);
});
