// What the reader of debug information finds in the objects of several compilers.
import { assert, assertEquals } from "@std/assert";
import { nativeFunction } from "../../../src/types/native.ts";
import { declarationsIn, linkedFixture, typesIn } from "../../support/types.ts";

/** fixtures/src/types/sample.c, as gcc names what is in functions. */
const SAMPLE = [
  "__int128 wide(__int128 value)",
  "complex double wave",
  "const char *greet(void)",
  "const char *version",
  "const int limits[2]",
  "enum color next_color(enum color color)",
  "int add(int a, int b)",
  "int bits(struct particle particle)",
  "int calls()",
  "int counter",
  "int made.0",
  "int sum(int count, ...)",
  "long double precise",
  "point scale(point p, double factor)",
  "quad lanes",
  "struct opaque *owner",
  "struct particle particles[8]",
  "uint8_t grid[8][4]",
  "union word convert(union word word)",
  "void order(void *base, size_t count, size_t size, compare compare)",
  "volatile _Bool ready",
];

for (const name of ["sample.o", "sample_aarch64.o", "sample_v4_units.o", "sample_compressed.o"]) {
  Deno.test(`${name}: every export and writable variable has the type of the source`, () => {
    assertEquals(declarationsIn(linkedFixture(name)), SAMPLE);
  });
}

for (const name of ["sample_clang.o", "sample_clang_v4.o"]) {
  Deno.test(`${name}: the same, as clang names some of it`, () => {
    const words: Record<string, string> = {
      "complex double wave": "complex wave",
      "int made.0": "int calls.made",
    };
    assertEquals(declarationsIn(linkedFixture(name)), SAMPLE.map((line) => words[line] ?? line).sort());
  });
}

for (const name of ["shapes.o", "shapes_units.o"]) {
  Deno.test(`${name}: types of C++ have the names of their namespaces and classes`, () => {
    assertEquals(declarationsIn(linkedFixture(name)).filter((line) => !line.includes("_Z")), [
      "bool isNull(decltype(nullptr), bool or_not)",
      "double area(const class shapes::Shape *shape)",
      "enum shapes::Square::Style style",
      "enum shapes::Square::Style styled(enum shapes::Square::Style style)",
      "int shapes::Size::*member",
      "int take(class shapes::Square &&square)",
      "int volume(struct shapes::Sized sized)",
      "struct shapes::Named named(struct shapes::Named named)",
      "struct shapes::Pair<double> origin",
    ]);
  });
}

Deno.test("a struct keeps its fields with their places, bit-fields too", () => {
  for (const name of ["sample.o", "sample_clang.o", "sample_v4_units.o"]) {
    const { types } = typesIn(linkedFixture(name));
    const particle = types.find((type) => type?.kind === "struct" && type.name === "particle");
    assert(particle?.kind === "struct");
    assertEquals(particle.size, 56);
    assertEquals(particle.fields.map(({ name, offset, bits }) => [name, offset, bits]), [
      ["x", 0, undefined],
      ["y", 4, undefined],
      ["vx", 8, undefined],
      ["vy", 12, undefined],
      ["tag", 16, [0, 3]],
      ["visible", 16, [3, 1]],
      ["color", 20, undefined],
      ["word", 24, undefined],
      ["name", 28, undefined],
      ["next", 48, undefined],
    ]);
    assertEquals(types[particle.fields[9].type], { kind: "pointer", to: types.indexOf(particle) });
  }
});

Deno.test("an enum keeps its names and values", () => {
  const { types } = typesIn(linkedFixture("sample.o"));
  const color = types.find((type) => type?.kind === "enum");
  assert(color?.kind === "enum");
  assertEquals(color.enumerators, [{ name: "RED", value: 0 }, { name: "GREEN", value: 5 }, {
    name: "BLUE",
    value: -1,
  }]);
});

Deno.test("classes say whether their copies need code", () => {
  const { types } = typesIn(linkedFixture("shapes.o"));
  const traits = types.flatMap((type) =>
    type?.kind === "class" || type?.kind === "struct" ? [[type.name, type.nontrivial]] : []
  );
  assertEquals(Object.fromEntries(traits), {
    "shapes::Named": true,
    "shapes::Pair<double>": false,
    "shapes::Pair<int>": false,
    "shapes::Shape": true,
    "shapes::Size": false,
    "shapes::Sized": false,
    "shapes::Square": true,
  });
});

Deno.test("what cannot be called says why", () => {
  const file = linkedFixture("sample.o");
  const { types, ...all } = typesIn(file);
  assertEquals(Object.keys(all), []);
  const reasons = [...file.symbols].flatMap((symbol) => {
    const id = typesIn(file).of(symbol);
    const type = id === undefined ? undefined : types[id];
    if (type?.kind !== "function") return [];
    const native = nativeFunction(types, type);
    return "reason" in native ? [`${symbol.name}: ${native.reason}`] : [];
  });
  assertEquals(reasons.sort(), [
    "bits: parameter 1 is struct particle, which has bit-fields, by value",
    "convert: parameter 1 is the union word, by value",
    "sum: it is variadic",
    "wide: parameter 1 is __int128",
  ]);
});
