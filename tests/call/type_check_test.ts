import { assertEquals, assertThrows } from "@std/assert";
import { LiveLibrary, LoadedModule, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { SectionType } from "../../src/smf/mod.ts";
import { TYPES_SECTION } from "../../src/smf/types.ts";
import { ANSWER, build, nativeTest, ROUTINES, sample } from "../support/modules.ts";
import { assertLoadError, fixtureTest } from "../support/testing.ts";
import { commonTypes, typedModule, typedSample } from "../support/typed_modules.ts";

const ADD = { parameters: ["i32", "i32"], result: "i32" } as const;
const WRONG = { parameters: ["i32", "f64"], result: "i32" } as const;
const MESSAGE =
  "Cannot bind 'add32': parameter 2 is int, the definition says f64 (file 'sample', symbol 'add32')";

nativeTest("a definition that differs from the module's types is an error wherever it is bound", () => {
  using registry = new ModuleRegistry();
  const module = registry.loadBytes("sample", typedSample());
  using library = registry.open("sample", { add32: ADD });
  using attached = LoadedModule.attach(structuredClone(module.share()));
  const token = structuredClone(library.share());
  const bindings = [
    () => module.bind({ add32: WRONG }),
    () => module.getFunction("add32", WRONG),
    () => registry.open("sample", { add32: WRONG }),
    () => attached.bind({ add32: WRONG }),
    () => attached.getFunction("add32", WRONG),
    () => LiveLibrary.attach(token, { add32: WRONG }),
  ];
  for (const bind of bindings) {
    const error = assertLoadError(bind, "Incompatible");
    assertEquals(error.message, MESSAGE);
    assertEquals([error.data.symbol, error.data.symbols], ["add32", ["add32"]]);
    assertEquals(error.hint.includes("`int add32(int p1, int p2)`"), true, error.hint);
  }
  assertEquals(module.callPaths(), [], "nothing was bound");
});

nativeTest('`types: "ignore"` binds whatever a definition says', () => {
  using registry = new ModuleRegistry();
  const module = registry.loadBytes("sample", typedSample());
  const two = { parameters: ["i64", "i64"], result: "i32" } as const;
  assertLoadError(() => module.bind({ add32: two }), "Incompatible");
  assertEquals(module.bind({ add32: two }, { types: "ignore" }).symbols.add32(2n, 3n), 5);
  assertEquals(module.getFunction("add32", two, { types: "ignore" })!(2n, 3n), 5);
  using library = registry.open("sample", { add32: two }, { types: "ignore" });
  assertEquals(library.symbols.add32(2n, 3n), 5);
  using attached = LiveLibrary.attach(library.share(), { add32: two }, { types: "ignore" });
  assertEquals(attached.symbols.add32(2n, 3n), 5);
  assertThrows(
    () => module.bind({ add32: two }, { types: "none" as "ignore" }),
    TypeError,
    "option 'types' is the string 'none', not 'check' or 'ignore'",
  );
});

nativeTest("one error lists every definition that differs, under the names of the file", () => {
  using module = new ModuleLoader().loadBytes(typedSample(), undefined, { name: "sample" });
  const error = assertLoadError(
    () =>
      module.bind({
        plus: { ...WRONG, name: "add32" },
        add64: { parameters: ["i64", "i64"], result: "i64" },
        counter: { type: "f64" },
      }),
    "Incompatible",
  );
  assertEquals(error.data.symbols, ["add32", "counter"]);
  assertEquals(
    error.message,
    "Cannot bind 'add32': parameter 2 is int, the definition says f64, " +
      "'counter': the variable is long, the definition says f64 (file 'sample', symbol 'add32')",
  );
});

nativeTest("definitions that agree are bound as before", () => {
  using module = new ModuleLoader().loadBytes(typedSample());
  const { symbols } = module.bind({
    add32: ADD,
    first: { parameters: ["buffer"], result: "u8" },
    sumPair: { parameters: [{ struct: ["f64", "f64"] }], result: "f64" },
    nothing: { parameters: ["i32"], result: "void" }, // which has no type
    counter: { type: "u64" },
    text: { type: "pointer" },
    absent: { ...ADD, optional: true },
  });
  assertEquals(symbols.add32(2, 3), 5);
  assertEquals(symbols.first(new Uint8Array([7])), 7);
  assertEquals(symbols.sumPair(new Uint8Array(new Float64Array([1, 2]).buffer)), 3);
  assertEquals([symbols.counter, symbols.absent], [40n, null]);
});

nativeTest(
  "a variable that the compiler has stored smaller than its type is compared by its size alone",
  () => {
    using module = new ModuleLoader().loadBytes(typedSample());
    // An int of one byte.
    assertEquals(module.bind({ flag: { type: "bool" } }).symbols.flag, true);
    assertLoadError(() => module.bind({ flag: { type: "i32" } }), "Incompatible");
  },
);

nativeTest("the entry point's definition is compared, too", () => {
  const { types, int } = commonTypes();
  const parts = { routines: { main: { hex: "b8 02 00 00 00 c3" } }, entry: "main" };
  using module = new ModuleLoader().loadBytes(
    typedModule(parts, types.list, { main: types.function(int) }),
    undefined,
    { name: "program" },
  );
  assertEquals(module.entryPoint(ANSWER)?.(), 2);
  const error = assertLoadError(() => module.entryPoint({ parameters: [], result: "f64" }), "Incompatible");
  assertEquals(
    error.message.startsWith("Cannot bind '(entry point)': its result is int"),
    true,
    error.message,
  );
});

nativeTest("where a module has no types, nothing is compared", () => {
  using module = new ModuleLoader().loadBytes(sample());
  assertEquals(typeof module.bind({ add32: WRONG }).symbols.add32, "function");
});

nativeTest("damaged types cost no load; what is bound with them is an error, unless they are ignored", () => {
  const bytes = new TextEncoder().encode("SMFT\x01 what is this?");
  using module = new ModuleLoader().loadBytes(
    build({
      routines: { add32: ROUTINES.add32 },
      sections: [{ name: TYPES_SECTION, type: SectionType.TypeInfo, bytes }],
    }),
    undefined,
    { name: "damaged" },
  );
  const error = assertLoadError(() => module.bind({ add32: ADD }), "InvalidFormat");
  assertEquals([error.data.path, error.data.section], ["damaged", TYPES_SECTION]);
  assertEquals(module.bind({ add32: ADD }, { types: "ignore" }).symbols.add32(2, 3), 5);
});

fixtureTest("definitions are compared with the types that a compiler wrote", () => {
  using registry = new ModuleRegistry();
  const path = "fixtures/c/typed.smf";
  const error = assertLoadError(
    () =>
      registry.open(path, {
        scale: { parameters: [{ struct: ["f64", "f64"] }, "i32"], result: { struct: ["f64", "f64"] } },
      }),
    "Incompatible",
  );
  assertEquals(
    error.message,
    `Cannot bind 'scale': parameter 2 is double, the definition says i32 (file '${path}', symbol 'scale')`,
  );
  assertEquals(error.hint.includes("`point scale(point p, double by)`"), true, error.hint);
});
