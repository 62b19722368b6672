import { assertEquals } from "@std/assert";
import { parseSmf } from "../../mod.ts";
import { haveSameTypes } from "../../src/image/symbol_types.ts";
import type { TypedVersion } from "../../src/image/typed_variables.ts";
import { SectionType, SymbolType } from "../../src/smf/mod.ts";
import { decodedOf, ModuleTypes } from "../../src/smf/types.ts";
import { decodeTables } from "../../src/types/decode.ts";
import { encodeTypes } from "../../src/types/encode.ts";
import { hostBuilder } from "../support/testing.ts";
import { commonTypes } from "../support/typed_modules.ts";

const { types, int, double } = commonTypes();
const ADD = types.function(int, [int, int]), ADD_DOUBLES = types.function(double, [double, double]);

interface Version extends TypedVersion {
  readonly bytes: Uint8Array;
}

/** A version with functions at these offsets, of these types. */
function version(
  functions: Readonly<Record<string, readonly [offset: number, type?: number]>>,
  like?: Version,
): Version {
  const builder = hostBuilder();
  builder.section({ name: "code", type: SectionType.Code, bytes: new Uint8Array(256) });
  for (const [name, [value]] of Object.entries(functions)) {
    builder.symbol({ name, type: SymbolType.Function, value, size: 16, visibility: 1 });
  }
  const typed = Object.values(functions)
    .flatMap(([address, type]) => type === undefined ? [] : [{ address, type }])
    .sort((left, right) => left.address - right.address);
  const bytes = encodeTypes({ types: types.list, typed });
  const known = like && { decoded: decodedOf(like.types), bytes: like.bytes };
  return { file: parseSmf(builder.build()), types: new ModuleTypes(decodeTables(bytes, known)), bytes };
}

const first = version({ add: [0, ADD], addDoubles: [16, ADD_DOUBLES], nothing: [32] });

Deno.test("versions whose functions are declared as before have the same types, wherever the functions are", () => {
  const second = version({ add: [0, ADD], addDoubles: [48, ADD_DOUBLES], nothing: [96] }, first);
  assertEquals(haveSameTypes(first, second), true);
  const third = version({ add: [16, ADD], addDoubles: [32, ADD_DOUBLES], nothing: [0] }, second);
  assertEquals(haveSameTypes(second, third), true);
  const changed = version({ add: [0, ADD], addDoubles: [16, ADD], nothing: [32] }, third);
  assertEquals(haveSameTypes(third, changed), false);
});

Deno.test("functions that have exchanged their places and their types do not have the same types", () => {
  const exchanged = version({ add: [16, ADD_DOUBLES], addDoubles: [0, ADD], nothing: [32] }, first);
  assertEquals(decodedOf(exchanged.types).typed, decodedOf(first.types).typed);
  assertEquals(haveSameTypes(first, exchanged), false);
});

Deno.test("a function that gets the type of another one, or types that were decoded apart, are not the same", () => {
  const other = version({ add: [0, ADD], addDoubles: [16], nothing: [32, ADD_DOUBLES] }, first);
  assertEquals(haveSameTypes(first, other), false);
  const apart = version({ add: [0, ADD], addDoubles: [16, ADD_DOUBLES], nothing: [32] });
  assertEquals(haveSameTypes(first, apart), false);
});
