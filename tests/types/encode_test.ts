// The bytes of types: written and read again, and read when they are damaged.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../src/errors/load_error.ts";
import { decodeTypes } from "../../src/types/decode.ts";
import { encodeTypes } from "../../src/types/encode.ts";
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
        enumerators: [{ name: "A", value: -below(1000) }, { name: "ä", value: 2 ** 40 + below(9) }],
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

Deno.test("a million types take bounded time and memory", () => {
  const types: (TypeRecord | undefined)[] = [undefined, INT];
  for (let id = 2; id < 1_000_000; id++) types.push({ kind: "pointer", to: id % 7 === 0 ? 1 : id - 1 });
  const merged = mergeTypes(collected(types), [{ address: 0, type: 999_999 }]);
  assert(merged.types.length <= 8);
});
