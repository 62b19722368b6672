import { assertEquals, assertStringIncludes } from "@std/assert";
import { ModuleRegistry } from "../../../mod.ts";
import { HeaderFlag, SectionType } from "../../../src/smf/mod.ts";
import { build, importing, ROUTINES, word } from "../../support/modules.ts";
import { assertLoadError } from "../../support/testing.ts";
import { typedModule, Types } from "../../support/typed_modules.ts";

const PARTS = {
  routines: { add32: ROUTINES.add32, first: ROUTINES.first, nothing: ROUTINES.nothing },
  data: { counter: word(7n) },
  flags: HeaderFlag.Reloadable,
} as const;

interface Declared {
  readonly result?: "int" | "unsigned" | "long";
  readonly name?: string;
  readonly pointee?: "int" | "float" | "void" | "const int" | "unsigned";
  readonly counter?: "long" | "double";
  /** What sets the files apart. */
  readonly sourceHash?: bigint;
}

/** A version whose functions are declared like this. */
function version(declared: Declared = {}): Uint8Array<ArrayBuffer> {
  const { result = "int", name = "value", pointee = "int", counter = "long", sourceHash = 1n } = declared;
  const types = new Types();
  const int = types.base("int", 4, "signed");
  const unsigned = types.base("unsigned int", 4, "unsigned");
  const long = types.base("long", 8, "signed");
  const float = types.base("float", 4, "float");
  const double = types.base("double", 8, "float");
  const constant = types.add({ kind: "const", to: int });
  const typedef = types.add({ kind: "typedef", name: "number_t", to: int });
  const pointees = { int, float, void: 0, "const int": constant, unsigned };
  return typedModule({ ...PARTS, sourceHash }, types.list, {
    add32: types.add({
      kind: "function",
      result: { int, unsigned, long }[result],
      parameters: [{ name, type: sourceHash === 1n ? int : typedef }, { name: "other", type: int }],
      variadic: false,
      prototyped: true,
    }),
    first: types.function(int, [types.pointer(pointees[pointee])]),
    nothing: types.function(0, sourceHash === 1n ? [] : [double]),
    counter: { long, double }[counter],
  });
}

function opened(registry: ModuleRegistry) {
  registry.loadBytes("m", version());
  return registry.open("m", {
    add32: { parameters: ["i32", "i32"], result: "i32" },
    first: { parameters: ["buffer"], result: "i32" },
    counter: { type: "i64" },
  });
}

Deno.test("a function in use whose signature changes is refused, with both declarations", async () => {
  await using registry = new ModuleRegistry();
  using live = opened(registry);
  const bytes = version({ result: "long", sourceHash: 2n });
  const error = assertLoadError(() => registry.reload("m", { bytes }), "Incompatible");
  assertStringIncludes(
    error.message,
    "'add32' was int add32(int value, int other), is long add32(number_t value, int other)",
  );
  assertEquals(error.data.symbols, ["add32"]);
  assertEquals(live.symbols.add32(40, 2), 42);
  assertEquals(registry.versions("m").map(({ version }) => version), [1]);
});

Deno.test("compatibility: allow lets it, and the new version lists it", async () => {
  await using registry = new ModuleRegistry();
  using _live = opened(registry);
  const bytes = version({ result: "long", pointee: "float", sourceHash: 2n });
  using module = registry.reload("m", { bytes, compatibility: "allow" });
  assertEquals(module.changedUses(), [
    {
      name: "add32",
      before: "int add32(int value, int other)",
      after: "long add32(number_t value, int other)",
    },
    { name: "first", before: "int first(int *p1)", after: "int first(float *p1)" },
  ]);
});

Deno.test("names of parameters, typedefs, const, signs, and void pointers do not matter", async () => {
  for (const pointee of ["const int", "void", "unsigned"] as const) {
    await using registry = new ModuleRegistry();
    using live = opened(registry);
    const bytes = version({ name: "renamed", result: "unsigned", pointee, sourceHash: 2n });
    using module = registry.reload("m", { bytes });
    assertEquals(module.changedUses(), []);
    assertEquals(live.symbols.add32(1, 1), 2);
  }
});

Deno.test("a live number that becomes another one is refused as well", async () => {
  await using registry = new ModuleRegistry();
  using _live = opened(registry);
  const bytes = version({ counter: "double", sourceHash: 2n });
  const error = assertLoadError(() => registry.reload("m", { bytes }), "Incompatible");
  assertStringIncludes(error.message, "'counter' was long counter, is double counter");
});

Deno.test("functions that nobody uses may change, and so may all with unload and load", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", version());
  using module = registry.reload("m", {
    bytes: version({ result: "long", counter: "double", sourceHash: 2n }),
  });
  assertEquals(module.changedUses(), []);
});

Deno.test("an importer's function counts as in use", async () => {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", version());
  registry.loadBytes("user", importing("add32"));
  const bytes = version({ result: "long", sourceHash: 2n });
  assertLoadError(() => registry.reload("m", { bytes }), "Incompatible");
});

Deno.test("versions without types, and damaged types of the running one, are no reason to refuse", async () => {
  const untyped = build({ ...PARTS, sourceHash: 3n });
  const damaged = build({
    ...PARTS,
    sourceHash: 4n,
    sections: [{ name: ".types", type: SectionType.TypeInfo, bytes: new Uint8Array([1, 2, 3]) }],
  });
  for (const first of [untyped, damaged]) {
    await using registry = new ModuleRegistry();
    registry.loadBytes("m", first);
    // Definitions would be compared with the damaged types.
    const definitions = { add32: { parameters: ["i32", "i32"], result: "i32" } } as const;
    using _live = registry.open("m", definitions, { types: "ignore" });
    registry.reload("m", { bytes: version({ result: "long" }), state: "carry" }).close();
  }
  await using registry = new ModuleRegistry();
  using _live = opened(registry);
  const error = assertLoadError(() => registry.reload("m", { bytes: damaged }), "InvalidFormat");
  assertEquals(error.data.section, ".types");
  registry.reload("m", { bytes: untyped }).close();
});
