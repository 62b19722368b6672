import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { LoadError, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { WARM_UP_CALLS } from "../../src/call/lazy_call.ts";
import {
  ANSWER,
  answering,
  build,
  isMapped,
  linuxTest,
  nativeTest,
  runChild,
  sample,
  stubMappings,
  turn,
  warm,
} from "../support/modules.ts";

const ADD = { parameters: ["i32", "i32"], result: "i32" } as const;

/** Functions `f0`, `f1`, … that return their numbers. */
function numbers(count: number): Uint8Array<ArrayBuffer> {
  const routines = Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`f${index}`, {
      hex: `b8 ${index.toString(16).padStart(2, "0")} 00 00 00 c3`,
    }]),
  );
  return build({ routines });
}

function bindNumbers(module: { bind(definitions: Deno.ForeignLibraryInterface): unknown }, count: number) {
  const definitions = Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, ANSWER]));
  return (module.bind(definitions) as { symbols: Record<string, () => number> }).symbols;
}

nativeTest("a function that is rarely called needs no library", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const before = stubMappings();
  const add = module.getFunction("add32", ADD)!;
  for (let count = 1; count < WARM_UP_CALLS; count++) assertEquals(add(count, 1), count + 1);
  assertEquals(stubMappings(), before);
  assertEquals(module.callPaths(), [{ name: "add32", path: "fast" }]);
  assertEquals(add(1, 1), 2);
  assertEquals(stubMappings(), before + 1);
  for (let count = 0; count < 100; count++) assertEquals(add(count, 1), count + 1);
  assertEquals(stubMappings(), before + 1);
  assertStrictEquals(module.getFunction("add32", ADD), add);
  module.close();
  assertEquals(stubMappings(), before);
});

nativeTest("functions in use share the library that one of them asks for, others do not", () => {
  using module = new ModuleLoader().loadBytes(numbers(30));
  const before = stubMappings();
  const symbols = bindNumbers(module, 30);
  const callAll = (names: string[]) => {
    for (const name of names) assertEquals(symbols[name](), Number(name.slice(1)));
  };
  const names = Object.keys(symbols);
  for (let round = 0; round < WARM_UP_CALLS; round++) callAll(names.slice(0, 20));
  assertEquals(stubMappings(), before + 1, "one library for twenty functions");
  callAll(names);
  assertEquals(stubMappings(), before + 1);
  warm(() => symbols.f25());
  assertEquals(stubMappings(), before + 2);
  for (let round = 0; round < WARM_UP_CALLS; round++) callAll(names);
  assertEquals(stubMappings(), before + 3, "one more for the other nine");
  for (let round = 0; round < 1000; round++) callAll(names);
  assertEquals(stubMappings(), before + 3);
});

nativeTest("functions that are bound one by one share a library", () => {
  using module = new ModuleLoader().loadBytes(numbers(10));
  const before = stubMappings();
  const calls = Array.from({ length: 10 }, (_, index) => module.getFunction(`f${index}`, ANSWER)!);
  for (let round = 0; round < WARM_UP_CALLS; round++) {
    calls.forEach((call, index) => assertEquals(call(), index));
  }
  assertEquals(stubMappings(), before + 1);
});

nativeTest("'fast' has its library when it is bound, 'pointer' never gets one", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const before = stubMappings();
  module.getFunction("add32", ADD, { callPath: "fast" });
  assertEquals(stubMappings(), before + 1);
  const add = module.getFunction("add32", ADD, { callPath: "pointer" })!;
  for (let count = 0; count < 5 * WARM_UP_CALLS; count++) assertEquals(add(count, 1), count + 1);
  assertEquals(stubMappings(), before + 1);
});

nativeTest("changing a definition after it was bound has no effect", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const definition = { parameters: ["i32", "i32"] as ("i32" | "f64")[], result: "i32" as "i32" | "f64" };
  const add = module.getFunction("add32", definition)! as (a: number, b: number) => number;
  definition.parameters.fill("f64");
  definition.result = "f64";
  for (let count = 0; count < 3 * WARM_UP_CALLS; count++) assertEquals(add(count, 1), count + 1);
});

nativeTest("a property of Object.prototype is not taken for a fast call", () => {
  const prototype = Object.prototype as unknown as Record<string, unknown>;
  using module = new ModuleLoader().loadBytes(sample());
  prototype.direct = () => -1;
  try {
    const add = module.getFunction("add32", ADD)!;
    for (let count = 0; count < 3 * WARM_UP_CALLS; count++) assertEquals(add(count, 1), count + 1);
  } finally {
    delete prototype.direct;
  }
});

const NUMBERS = [
  0,
  1.5,
  -1.5,
  -1,
  255,
  256,
  2 ** 31,
  2 ** 32 + 5,
  2 ** 53 + 2,
  NaN,
  Infinity,
  1n,
  -1n,
  2n ** 64n + 3n,
];
const OTHER_VALUES = [true, null, undefined, "5", {}, new Uint8Array(1)];

nativeTest("first calls convert values as fast calls do", () => {
  const outcome = (call: () => unknown) => {
    try {
      return call();
    } catch (error) {
      return String(error);
    }
  };
  for (const type of ["bool", "i8", "u8", "i16", "u16", "i32", "u32"] as const) {
    for (const value of [...NUMBERS, ...OTHER_VALUES]) {
      // Each value gets a new binding, so that this is its first call.
      using other = new ModuleLoader().loadBytes(sample());
      const definition = { parameters: [type, "i32"], result: type } as const;
      const [first, fast] = (["auto", "fast"] as const).map((callPath) => {
        const call = other.getFunction("add32", definition, { callPath })! as (
          ...values: unknown[]
        ) => unknown;
        return outcome(() => call(value, 0));
      });
      assertEquals(first, fast, `${type} of ${String(value)}`);
    }
  }
});

nativeTest("wrong arguments are TypeErrors before and after the warm-up", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const first = module.getFunction("first", { parameters: ["buffer"], result: "u8" })! as (
    a?: unknown,
  ) => number;
  const refused = () => {
    for (const wrong of ["text", undefined, 1n]) assertThrows(() => first(wrong), TypeError);
    assertThrows(() => first(), TypeError);
  };
  refused();
  warm(() => first(new Uint8Array([5])));
  refused();
});

for (const calls of [0, 1, WARM_UP_CALLS - 1, WARM_UP_CALLS, 100_000]) {
  nativeTest(`after ${calls} calls, the next one notices a close`, () => {
    const module = new ModuleLoader().loadBytes(sample());
    const before = stubMappings();
    const add = module.getFunction("add32", ADD)!;
    let sum = 0;
    for (let count = 0; count < calls; count++) sum = add(sum, 1);
    assertEquals(sum, calls);
    module.close();
    assertEquals(stubMappings(), before);
    for (let count = 0; count < 2 * WARM_UP_CALLS; count++) {
      assertEquals(assertThrows(() => add(1, 1), LoadError).kind, "Closed");
    }
    assertEquals(stubMappings(), before, "no library is opened for a closed module");
  });
}

for (const calls of [1, WARM_UP_CALLS, WARM_UP_CALLS + 1]) {
  nativeTest(`a close from a callback of call ${calls} frees at the next turn`, async () => {
    const module = new ModuleLoader().loadBytes(sample());
    const { address } = module.codeMemory;
    const before = stubMappings();
    const call = module.getFunction("call", { parameters: ["function", "i32"], result: "i32" })!;
    let left = calls;
    const callback = new Deno.UnsafeCallback({ parameters: ["i32"], result: "i32" }, (value) => {
      if (--left === 0) {
        module.close();
        assert(isMapped(address), "the call is on the stack");
      }
      return value + 1;
    });
    for (let count = 0; count < calls; count++) assertEquals(call(callback.pointer, count), count + 1);
    callback.close();
    assertThrows(() => call(null, 1), LoadError);
    await turn();
    assertEquals([isMapped(address), stubMappings()], [false, before]);
  });
}

nativeTest("a call that calls itself through the warm-up returns the right result", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const call = module.getFunction("call", { parameters: ["function", "i32"], result: "i32" })!;
  const callback = new Deno.UnsafeCallback({ parameters: ["i32"], result: "i32" }, (value): number => {
    return value === 0 ? 0 : 1 + call(callback.pointer, value - 1);
  });
  assertEquals(call(callback.pointer, 2 * WARM_UP_CALLS), 2 * WARM_UP_CALLS);
  callback.close();
});

nativeTest("live functions become fast too, and follow reloads", () => {
  using registry = new ModuleRegistry();
  registry.loadBytes("m", answering(1));
  using live = registry.open("m", { value: ANSWER });
  const before = stubMappings();
  const { value } = live.symbols;
  for (let count = 0; count < 3 * WARM_UP_CALLS; count++) {
    if (count % 5 === 4) registry.reload("m", { bytes: answering(count) });
    assertEquals(value(), count < 4 ? 1 : 5 * Math.floor((count + 1) / 5) - 1);
  }
  assertEquals(stubMappings(), before + 1);
});

nativeTest("fast calls outlive the permission; others say why they fail", async () => {
  const result = await runChild(new URL("./revoked_child.ts", import.meta.url));
  assertEquals(result.code, 0, result.stderr);
  assertEquals(JSON.parse(result.stdout), {
    fast: 5,
    inUse: 5,
    unused: [
      "PermissionDenied",
      "add64",
      'bind the function with callPath "fast" before --allow-ffi is revoked',
    ],
  });
});

linuxTest("a function that becomes fast in the middle of a hot loop stays correct", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const add = module.getFunction("addf64", { parameters: ["f64", "f64"], result: "f64" })!;
  let sum = 0;
  for (let count = 0; count < 300_000; count++) sum = add(sum, 0.5);
  assertEquals(sum, 150_000);
});
