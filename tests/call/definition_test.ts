import { assertEquals, assertThrows } from "@std/assert";
import { LiveLibrary, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { build, nativeTest, ROUTINES } from "../support/modules.ts";
import { WatchedAllocator } from "../support/watched_allocator.ts";

/** A definition that a JavaScript program may pass, whatever the types say. */
// deno-lint-ignore no-explicit-any
type Anything = any;

const bytes = () => build({ routines: { nothing: ROUTINES.nothing }, data: { counter: new Uint8Array(8) } });

const cyclic: { struct: unknown[] } = { struct: ["i32"] };
cyclic.struct.push(cyclic);

const VOID = { parameters: [], result: "void" } as const;

/** Definitions that describe no function, each with what the error says after the function's name. */
const WRONG: readonly [definition: unknown, message: string][] = [
  [null, "its definition is null, not an object"],
  [5, "its definition is 5, not an object"],
  [{ result: "void" }, "its parameters are undefined, not an array"],
  [{ ...VOID, parameters: "i32" }, "its parameters are the string 'i32', not an array"],
  [{ parameters: [] }, "its result is missing"],
  [{ ...VOID, result: "int" }, "its result is the string 'int', not one of void, bool"],
  [{ ...VOID, parameters: ["i32", "i23"] }, "parameter 2 is the string 'i23', not one of bool"],
  [{ ...VOID, parameters: ["Pointer"] }, "(did you mean 'pointer'?)"],
  [{ ...VOID, parameters: ["void"] }, "parameter 1 is the string 'void'"],
  [{ ...VOID, parameters: [{ struct: [] }] }, "parameter 1 is a struct without fields"],
  [{ ...VOID, result: { struct: [] } }, "its result is a struct without fields"],
  [{ ...VOID, parameters: [{ struct: ["i32", "x"] }] }, "is a struct whose field 2 is the string 'x'"],
  [{ ...VOID, parameters: [{ struct: ["i32"], packed: true }] }, "is an object other than { struct:"],
  [{ ...VOID, parameters: [cyclic] }, "has more than 64 structs within each other"],
  [{ ...VOID, nonblocking: "yes" }, "nonblocking is the string 'yes', not true or false"],
  [{ ...VOID, name: 5 }, "its name is 5, not a string"],
  [{ ...VOID, optional: "yes" }, "optional is the string 'yes', not true or false"],
];

for (const [wrong, message] of WRONG) {
  nativeTest(`a definition is refused when it is bound, by every path: ${message}`, () => {
    using module = new ModuleLoader().loadBytes(bytes());
    const nothing = wrong as Anything;
    for (const callPath of ["auto", "fast", "pointer"] as const) {
      const options = { callPath };
      const error = assertThrows(() => module.bind({ nothing }, options), TypeError, message);
      assertEquals(error.message.startsWith("Cannot bind function 'nothing': "), true, error.message);
      assertThrows(() => module.getFunction("nothing", nothing, options), TypeError, message);
      assertThrows(() => module.entryPoint(nothing, options), TypeError, "function '(entry point)'");
    }
    // A name that does not exist makes the definition no better.
    assertThrows(() => module.getFunction("missing", nothing), TypeError, "function 'missing'");
    assertEquals(module.callPaths(), []);
  });
}

nativeTest("definitions are judged before anything is mapped or attached", async () => {
  const allocator = new WatchedAllocator();
  await using registry = new ModuleRegistry({ allocator });
  const nothing = { ...VOID, nonblocking: "yes" } as Anything;
  const path = "no/such/file.smf";
  assertThrows(() => registry.open(path, { nothing }), TypeError, "nonblocking is");
  assertThrows(() => registry.open(path, null as Anything), TypeError, "the definitions are null");
  assertEquals([registry.modules(), allocator.live.size], [[], 0]);
  const token = { kind: "none" } as Anything;
  assertThrows(() => LiveLibrary.attach(token, { nothing }), TypeError, "nonblocking is");
});

nativeTest("the type of a static is judged as a definition is", () => {
  using module = new ModuleLoader().loadBytes(bytes());
  for (const type of ["void", "int", { struct: ["i32"] }, undefined, 5]) {
    const counter = { type } as Anything;
    assertThrows(() => module.bind({ counter }), TypeError, "Cannot bind static 'counter': its type is");
    assertThrows(() => module.bind({ missing: { ...counter, optional: true } }), TypeError, "'missing'");
  }
});

nativeTest("what Deno takes as absent is absent, and other names are ignored as by Deno.dlopen", () => {
  using module = new ModuleLoader().loadBytes(bytes());
  const nothing = {
    ...VOID,
    name: undefined,
    nonblocking: null,
    optional: undefined,
    callback: true,
  } as Anything;
  assertEquals(module.getFunction("nothing", nothing as typeof VOID)?.(), undefined);
});

nativeTest("a definition that changes after it was bound has no effect", async () => {
  using module = new ModuleLoader().loadBytes(bytes());
  const definition = { parameters: [], result: "void", nonblocking: true } as Anything;
  const nothing = module.getFunction("nothing", definition) as unknown as () => Promise<void>;
  definition.parameters.push("i32");
  definition.result = "f64";
  assertEquals(await nothing(), undefined);
});

for (const callPath of ["auto", "fast", "pointer"] as const) {
  nativeTest(`a function without a result returns undefined at every call, by ${callPath}`, async () => {
    await using registry = new ModuleRegistry();
    const module = registry.loadBytes("m", bytes());
    const live = registry.open("m", { nothing: VOID }, { callPath }).symbols;
    const { nothing, later, taking } = module.bind({
      nothing: VOID,
      later: { ...VOID, name: "nothing", nonblocking: true },
      taking: { ...VOID, name: "nothing", parameters: [{ struct: ["i64"] }] },
    }, { callPath }).symbols;
    for (let count = 0; count < 20; count++) {
      assertEquals([nothing(), live.nothing(), taking(new Uint8Array(8))], [undefined, undefined, undefined]);
      assertEquals(await later(), undefined);
    }
  });
}
