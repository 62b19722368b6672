import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { parseSmf } from "../../mod.ts";
import { keepTypes, type KeptTypes } from "../../src/smf/kept_types.ts";
import { readFrom } from "../../src/smf/reader.ts";
import { SectionType } from "../../src/smf/mod.ts";
import { build, ROUTINES, sample } from "../support/modules.ts";
import { assertLoadError } from "../support/testing.ts";
import { typedSample } from "../support/typed_modules.ts";

function keep(bytes: Uint8Array): KeptTypes | undefined {
  return readFrom(bytes, keepTypes(parseSmf(bytes)));
}

Deno.test("types are kept as a copy of the file's bytes, and decoded once", () => {
  const bytes = typedSample();
  const expected = parseSmf(bytes).types()!;
  const { value } = parseSmf(bytes).symbols.find("add32")!;
  const kept = keep(bytes)!;
  bytes.fill(0xff);
  const types = kept.read("a.smf")!;
  assertEquals(types.declaration("add32", types.at(value)!), "int add32(int p1, int p2)");
  assertEquals(types.types, expected.types);
  assertStrictEquals(kept.read("a.smf"), types);
});

Deno.test("a module without types keeps nothing", () => {
  assertStrictEquals(keep(sample()), undefined);
});

Deno.test("damaged types are an error when they are read, with the module's path, and not before", () => {
  const section = { name: ".types", type: SectionType.TypeInfo, bytes: new Uint8Array([1, 2, 3]) };
  const kept = keep(build({ routines: { nothing: ROUTINES.nothing }, sections: [section] }))!;
  const error = assertLoadError(() => kept.read("a.smf"), "InvalidFormat");
  assertEquals(error.data.path, "a.smf");
  assertEquals(error.data.section, ".types");
});

Deno.test("two sections of types are an error when they are read", () => {
  const section = { name: ".types", type: SectionType.TypeInfo, bytes: new Uint8Array([1, 2, 3]) };
  const kept = keep(build({ routines: { nothing: ROUTINES.nothing }, sections: [section, section] }))!;
  assertStrictEquals(kept.bytes, undefined);
  assertLoadError(() => kept.read("a.smf"), "InvalidFormat");
});

Deno.test("a section of another tool is not one of types", () => {
  const section = { name: "types", type: SectionType.TypeInfo, bytes: new TextEncoder().encode("{}") };
  assertStrictEquals(
    keep(build({ routines: { nothing: ROUTINES.nothing }, sections: [section] })),
    undefined,
  );
  assert(keep(typedSample()) !== undefined);
});
