// The bytes of types: written and read again, and read when they are damaged.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { decodeTypes } from "../../src/types/decode.ts";
import { encodeTypes } from "../../src/types/encode.ts";
import type { Integer } from "../../src/types/integer.ts";
import { elementsOf, sizeOf } from "../../src/types/layout.ts";
import { layoutHashes } from "../../src/types/layout_hash.ts";
import { mergeTypes } from "../../src/types/merge.ts";
import { CollectedTypes } from "../../src/types/collected.ts";
import { readType, writeType } from "../../src/types/spelling.ts";
import type { TypeGraph, TypeRecord } from "../../src/types/model.ts";
import { randomFrom } from "../support/testing.ts";

/** Collects types, of which the first stands for `void`. */
function collected(types: readonly (TypeRecord | undefined)[]): CollectedTypes {
  const list = new CollectedTypes();
  for (const type of types.slice(1)) writeType(list, list.reserve(), type!);
  return list;
}

const INT: TypeRecord = { kind: "base", name: "int", size: 4, encoding: "signed" };

/** Types of all kinds that refer to each other at random, without a type that contains itself. */
function randomGraph(seed: number, count = 40): TypeGraph {
  const next = randomFrom(seed);
  const below = (limit: number) => next() % limit;
  const types: (TypeRecord | undefined)[] = [undefined];
  for (let id = 1; id <= count; id++) {
    const before = () => below(id);
    const any = () => below(count + 1);
    const name = `n${below(9)}`;
    const size = below(3) === 0 ? undefined : below(100);
    const kinds: TypeRecord[] = [
      {
        kind: "base",
        name,
        size: below(17),
        encoding: (["signed", "unsigned", "float", "bool"] as const)[below(4)],
      },
      { kind: "pointer", to: any() },
      { kind: "rvalue-reference", to: any() },
      { kind: "const", to: before() },
      { kind: "typedef", name, to: before() },
      { kind: "array", of: before(), count: below(2) === 0 ? undefined : below(1000) },
      { kind: "vector", of: before(), count: 4 },
      { kind: "member-pointer", to: any(), of: any() },
      { kind: "unknown", name },
      {
        kind: "enum",
        name,
        size,
        underlying: before(),
        enumerators: [
          { name: "A", value: -below(1000) },
          { name: "ä", value: 2 ** 40 + below(9) },
          { name: "n1", value: (1n << BigInt(54 + below(73))) + BigInt(below(9)) },
          { name: "n2", value: -(1n << BigInt(54 + below(73))) + BigInt(below(9)) },
        ],
      },
      {
        kind: "function",
        result: any(),
        parameters: [{ name: "", type: any() }, { name, type: any() }],
        variadic: below(2) === 0,
        prototyped: below(2) === 0,
      },
      {
        kind: (["struct", "union", "class"] as const)[below(3)],
        name: below(4) === 0 ? "" : name,
        size,
        nontrivial: below(2) === 0,
        variants: below(2) === 0,
        bases: below(2) === 0 ? [] : [{ type: before(), offset: undefined }, { type: before(), offset: 8 }],
        fields: [
          { name: "a", type: before(), offset: below(50) },
          { name: "b", type: before(), offset: below(50), bits: [below(8), 1 + below(30)] },
        ],
      },
    ];
    types.push(kinds[below(kinds.length)]);
  }
  return {
    types,
    typed: [{ address: below(9), type: count }, { address: 10 + below(2 ** 31), type: 1 + below(count) }],
  };
}

Deno.test("types are read as they were written, whatever they are", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const graph = randomGraph(seed);
    assertEquals(decodeTypes(encodeTypes(graph)), graph, `seed ${seed}`);
  }
});

/** Types with one enumeration of these values. */
function enumOf(...values: Integer[]): TypeGraph {
  const enumerators = values.map((value, index) => ({ name: `v${index}`, value }));
  const type: TypeRecord = { kind: "enum", name: "e", size: 16, underlying: 0, enumerators };
  return { types: [undefined, type], typed: [{ address: 0, type: 1 }] };
}

/** The numbers around which a number or a bigint holds a value, and the encoding takes another byte. */
const EDGES = [6, 7, 13, 14, 31, 32, 48, 49, 50, 51, 52, 53, 54, 55, 56, 62, 63, 64, 65, 70, 119, 126, 127];

Deno.test("values of enumerations are exact, and numbers wherever these are", () => {
  const values: Integer[] = [0];
  for (const bits of EDGES) {
    for (const step of [-2n, -1n, 0n, 1n, 2n]) {
      for (const sign of [1n, -1n]) {
        const value = sign * ((1n << BigInt(bits)) + step);
        const isSafe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
        values.push(isSafe ? Number(value) : value);
      }
    }
  }
  values.push((1n << 128n) - 1n, -(1n << 128n));
  const graph = enumOf(...values);
  assertEquals(decodeTypes(encodeTypes(graph)), graph);
});

Deno.test("a value of more than 128 bits is an error", () => {
  const bytes = encodeTypes(enumOf((1n << 128n) - 1n));
  // The value has 19 bytes; those of the addresses, 1 0 1, follow.
  const start = bytes.length - 3 - 19;
  assertEquals(bytes[start], 0xfe);
  for (
    const damage of [(copy: Uint8Array) => copy[start + 18]++, (copy: Uint8Array) => copy.fill(0x80, start)]
  ) {
    const copy = bytes.slice();
    damage(copy);
    const error = assertThrows(() => decodeTypes(copy), LoadError, "a value has more than 128 bits");
    assertEquals(error.data.offset, start);
  }
});

Deno.test("the bytes of a large value are LEB128, which versions that rounded it read, too", () => {
  const bytes = encodeTypes(enumOf((1n << 64n) - 1n, -(1n << 63n)));
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  // 2^65 - 2, the name of the next, and 2^64 - 1.
  assertStringIncludes(text, `fe ${"ff ".repeat(8)}03 02 ${"ff ".repeat(9)}01`);
});

Deno.test("enumerations that differ above 2^53 only are two types, with two layouts", () => {
  const large = (value: bigint) => enumOf(value).types[1];
  const types = [undefined, large(2n ** 63n), large(2n ** 63n + 1n), large(2n ** 63n)];
  const merged = mergeTypes(collected(types), [1, 2, 3].map((type) => ({ address: type, type })));
  assertEquals(merged.typed.map(({ type }) => type), [1, 2, 1]);
  const [, first, second] = layoutHashes(merged.types);
  assert(first !== second);
});

Deno.test("sizes that numbers cannot hold are not known, and offsets beyond them an error", () => {
  const array = (of: number, count: number): TypeRecord => ({ kind: "array", of, count });
  const types = [undefined, INT, array(1, 2 ** 50), array(2, 3), array(1, 2 ** 51), array(3, 2 ** 10)];
  assertEquals([2, 3, 4, 5].map((id) => sizeOf(types, id)), [2 ** 52, undefined, undefined, undefined]);
  assertEquals([3, 5].map((id) => elementsOf(types, id).count), [3 * 2 ** 50, undefined]);
  const field = (offset: number) => ({ name: "x", type: 1, offset });
  const struct: TypeRecord = {
    kind: "struct",
    name: "s",
    size: 4,
    nontrivial: false,
    variants: false,
    bases: [],
    fields: [field(2 ** 51), field(2 ** 52), field(2 ** 52 + 2 ** 51), field(2 ** 53)],
  };
  const graph: TypeGraph = { types: [undefined, INT, struct], typed: [{ address: 0, type: 2 }] };
  assertThrows(() => decodeTypes(encodeTypes(graph)), LoadError, "an offset is beyond 2^53 - 1");
});

Deno.test("every shorter length is an error", () => {
  const bytes = encodeTypes(randomGraph(7));
  for (let length = 0; length < bytes.length; length++) {
    const error = assertThrows(() => decodeTypes(bytes.subarray(0, length)), LoadError);
    assertEquals(error.kind, "InvalidFormat");
  }
});

Deno.test("every changed byte is an error, or other types", () => {
  const bytes = encodeTypes(randomGraph(11));
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    for (const change of [1, 0x7f, 0x80, 0xff]) {
      const damaged = bytes.slice();
      damaged[at] ^= change;
      try {
        const { types } = decodeTypes(damaged);
        layoutHashes(types);
      } catch (error) {
        assert(error instanceof LoadError, String(error));
        refused++;
      }
    }
  }
  assert(refused > bytes.length / 4, `${refused} of ${bytes.length * 4}`);
});

Deno.test("a few bytes cannot claim many records", () => {
  const [, ...head] = [0, 0x53, 0x4d, 0x46, 0x54, 1, 0, 0];
  const billion = [0x80, 0x94, 0xeb, 0xdc, 0x03];
  assertThrows(
    () => decodeTypes(Uint8Array.from([...head, ...billion])),
    LoadError,
    "it cannot hold so many types",
  );
});

Deno.test("collected types are the records that were written, whatever they are", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const { types } = randomGraph(seed);
    const list = collected(types);
    for (let id = 1; id < types.length; id++) assertEquals(readType(list, id), types[id]);
  }
});

Deno.test("types that are forgotten again leave those before them as they are", () => {
  const list = collected([undefined, INT, { kind: "pointer", to: 1 }]);
  const { length } = list;
  writeType(list, list.reserve(), { kind: "const", to: 1 });
  list.truncate(length);
  writeType(list, list.reserve(), { kind: "volatile", to: 2 });
  assertEquals([1, 2, 3].map((id) => readType(list, id)), [
    INT,
    { kind: "pointer", to: 1 },
    { kind: "volatile", to: 2 },
  ]);
});

Deno.test("equal types of many objects become one, circles too", () => {
  // struct node { int value; struct node *next; }, as three objects describe it; the last one differs.
  const node = (start: number, name = "next"): TypeRecord[] => [
    { ...INT },
    {
      kind: "struct",
      name: "node",
      size: 16,
      nontrivial: false,
      variants: false,
      bases: [],
      fields: [{ name: "value", type: start, offset: 0 }, { name, type: start + 2, offset: 8 }],
    },
    { kind: "pointer", to: start + 1 },
  ];
  const types = [undefined, ...node(1), ...node(4), ...node(7, "after")];
  const typed = [2, 5, 8].map((type, i) => ({ address: 16 * i, type }));
  const merged = mergeTypes(collected(types), typed);
  assertEquals(merged.types.length, 6);
  assertEquals(merged.typed.map(({ type }) => type), [3, 3, 5]);
});

Deno.test("structs that are spelt alike but contain others stay apart", () => {
  const real: TypeRecord = { kind: "base", name: "float", size: 4, encoding: "float" };
  const box = (of: number): TypeRecord => ({
    kind: "struct",
    name: "box",
    size: 4,
    nontrivial: false,
    variants: false,
    bases: [],
    fields: [{ name: "of", type: of, offset: 0 }],
  });
  const pointer = (to: number): TypeRecord => ({ kind: "pointer", to });
  const merged = mergeTypes(
    collected([undefined, INT, real, box(1), box(2), box(1), pointer(3), pointer(4), pointer(5)]),
    [6, 7, 8].map((type, i) => ({ address: i, type })),
  );
  const [a, b, c] = merged.typed.map(({ type }) => type);
  assertEquals(a, c);
  assert(a !== b);
});

Deno.test("a struct that one object declares is the one that another defines", () => {
  const struct = (size: number | undefined): TypeRecord => ({
    kind: "struct",
    name: "state",
    size,
    nontrivial: false,
    variants: false,
    bases: [],
    fields: size === undefined ? [] : [{ name: "x", type: 1, offset: 0 }],
  });
  const types = [undefined, INT, struct(undefined), { kind: "pointer", to: 2 } as const, struct(4)];
  const merged = mergeTypes(collected(types), [{ address: 0, type: 3 }, { address: 8, type: 4 }]);
  const structs = merged.types.flatMap((type) => type?.kind === "struct" ? [type] : []);
  assertEquals(structs.map(({ size, fields }) => [size, fields.length]), [[4, 1]]);
});

Deno.test("a type that contains itself is damaged", () => {
  const types: TypeRecord[] = [{ kind: "typedef", name: "a", to: 2 }, { kind: "const", to: 1 }];
  assertThrows(
    () => mergeTypes(collected([undefined, ...types]), [{ address: 0, type: 1 }]),
    LoadError,
    "refers to itself",
  );
  const struct: TypeRecord = {
    kind: "struct",
    name: "s",
    size: 4,
    nontrivial: false,
    variants: false,
    bases: [],
    fields: [{ name: "self", type: 1, offset: 0 }],
  };
  assertThrows(
    () => mergeTypes(collected([undefined, struct]), [{ address: 0, type: 1 }]),
    LoadError,
    "contains itself",
  );
});

Deno.test("types that are nested too deeply are damaged, and others are not", () => {
  const pointers = (count: number) => [
    undefined,
    INT,
    ...Array.from({ length: count }, (_, index): TypeRecord => ({ kind: "pointer", to: index + 1 })),
  ];
  const last = (types: readonly unknown[]) => [{ address: 0, type: types.length - 1 }];
  // From the end, as a reader of debug information may meet them.
  const backwards = (count: number) => [
    undefined,
    ...Array.from({ length: count }, (_, index): TypeRecord => ({ kind: "pointer", to: index + 2 })),
    INT,
  ];
  mergeTypes(collected(pointers(5000)), last(pointers(5000)));
  mergeTypes(collected(backwards(900)), [{ address: 0, type: 1 }]);
  assertThrows(
    () => mergeTypes(collected(backwards(1100)), [{ address: 0, type: 1 }]),
    LoadError,
    "types refer to each other 1000 deep",
  );
  const structs = (count: number) => [
    undefined,
    INT,
    ...Array.from({ length: count }, (_, index): TypeRecord => ({
      kind: "struct",
      name: `s${index}`,
      size: 4,
      nontrivial: false,
      variants: false,
      bases: [],
      fields: [{ name: "inner", type: index + 1, offset: 0 }],
    })),
  ];
  mergeTypes(collected(structs(900)), last(structs(900)));
  assertThrows(
    () => mergeTypes(collected(structs(1100)), last(structs(1100))),
    LoadError,
    "types contain each other 1000 deep",
  );
});

Deno.test("a million types take bounded time and memory", () => {
  const types: (TypeRecord | undefined)[] = [undefined, INT];
  for (let id = 2; id < 1_000_000; id++) types.push({ kind: "pointer", to: id % 7 === 0 ? 1 : id - 1 });
  const merged = mergeTypes(collected(types), [{ address: 0, type: 999_999 }]);
  assert(merged.types.length <= 8);
});
