// Modules that keep types, made without a compiler: machine code of modules.ts, and types by hand.
import { parseSmf } from "../../mod.ts";
import { SectionType } from "../../src/smf/mod.ts";
import { TYPES_SECTION } from "../../src/smf/types.ts";
import { encodeTypes } from "../../src/types/encode.ts";
import type { BaseEncoding, RecordType, TypeRecord } from "../../src/types/model.ts";
import { build, type Parts, ROUTINES, word } from "./modules.ts";

/** Collects types; each method returns the number of a new one. A type must stand behind those it contains. */
export class TypeRecords {
  readonly list: (TypeRecord | undefined)[] = [undefined];

  add(type: TypeRecord): number {
    return this.list.push(type) - 1;
  }

  base(name: string, size: number, encoding: BaseEncoding): number {
    return this.add({ kind: "base", name, size, encoding });
  }

  pointer(to: number): number {
    return this.add({ kind: "pointer", to });
  }
}

/** Types whose parameters have no names, and whose fields are given by name. */
export class Types extends TypeRecords {
  struct(
    name: string,
    size: number,
    fields: Record<string, readonly [type: number, offset: number]>,
  ): number {
    return this.record({
      name,
      size,
      fields: Object.entries(fields).map(([name, [type, offset]]) => ({ name, type, offset })),
    });
  }

  record(type: Partial<RecordType>): number {
    const common = {
      kind: "struct",
      name: "",
      nontrivial: false,
      variants: false,
      bases: [],
      fields: [],
    } as const;
    return this.add({ size: undefined, ...common, ...type });
  }

  function(
    result: number,
    parameters: readonly number[] = [],
    { variadic = false, prototyped = true } = {},
  ): number {
    const named = parameters.map((type, index) => ({ name: `p${index + 1}`, type }));
    return this.add({ kind: "function", result, parameters: named, variadic, prototyped });
  }
}

/** Numbers of C types in a list. */
export interface CommonTypes {
  readonly types: Types;
  readonly int: number;
  readonly unsigned: number;
  readonly long: number;
  readonly size: number;
  readonly float: number;
  readonly double: number;
  readonly char: number;
  /** `const char *` */
  readonly string: number;
  /** `struct { long a, b; }` */
  readonly pair: number;
  /** `struct { double x, y; }` */
  readonly point: number;
}

/** The C types that tests use most. */
export function commonTypes(): CommonTypes {
  const types = new Types();
  const int = types.base("int", 4, "signed");
  const unsigned = types.base("unsigned int", 4, "unsigned");
  const long = types.base("long", 8, "signed");
  const size = types.base("unsigned long", 8, "unsigned");
  const float = types.base("float", 4, "float");
  const double = types.base("double", 8, "float");
  const char = types.base("char", 1, "char");
  const string = types.pointer(types.add({ kind: "const", to: char }));
  const pair = types.struct("pair", 16, { a: [long, 0], b: [long, 8] });
  const point = types.struct("point", 16, { x: [double, 0], y: [double, 8] });
  return { types, int, unsigned, long, size, float, double, char, string, pair, point };
}

/** Builds a module whose symbols have these types. */
export function typedModule(
  parts: Parts,
  types: readonly (TypeRecord | undefined)[],
  typeOf: Readonly<Record<string, number>>,
): Uint8Array<ArrayBuffer> {
  const { symbols } = parseSmf(build(parts));
  const typed = Object.entries(typeOf)
    .map(([name, type]) => ({ address: symbols.find(name)!.value, type }))
    .sort((a, b) => a.address - b.address);
  const bytes = encodeTypes({ types, typed });
  return build({ ...parts, sections: [{ name: TYPES_SECTION, type: SectionType.TypeInfo, bytes }] });
}

/** A pointer to a string, as the address of nothing: only its place counts. */
export const TEXT = new TextEncoder().encode("typed\0");

/** The parts of {@linkcode typedSample}. */
export const TYPED_PARTS: Parts = {
  routines: {
    ...ROUTINES,
    /** int64_t increment(void) */
    increment: {
      hex: "48 ff 05 00 00 00 00 48 8b 05 00 00 00 00 c3",
      refers: { 3: "counter", 10: "counter" },
    },
  },
  data: { counter: word(40n), text: TEXT, flag: new Uint8Array([1]) },
};

/**
 * A module with typed functions and variables, one function that is variadic (`call`), one without a type
 * (`nothing`), and a variable (`flag`) that has another size than its type.
 */
export function typedSample(): Uint8Array<ArrayBuffer> {
  const { types, int, long, size, float, double, char, string, pair, point } = commonTypes();
  const chars = types.add({ kind: "array", of: char, count: TEXT.length });
  const callback = types.pointer(types.function(int, [int]));
  return typedModule(TYPED_PARTS, types.list, {
    add32: types.function(int, [int, int]),
    add64: types.function(long, [long, long]),
    sub64: types.function(long, [long, long]),
    addf64: types.function(double, [double, double]),
    addf32: types.function(float, [float, float]),
    sum8: types.function(long, Array(8).fill(long)),
    first: types.function(types.base("unsigned char", 1, "unsigned"), [string]),
    offset: types.function(types.pointer(0), [types.pointer(0), size]),
    call: types.function(int, [callback, int], { variadic: true }),
    wait: types.function(int, [types.pointer(int)]),
    sumPair: types.function(double, [point]),
    pair: types.function(pair, [long, long]),
    increment: types.function(long),
    counter: long,
    text: chars,
    flag: int,
  });
}
