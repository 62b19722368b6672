import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { LoadError, ModuleLoader } from "../../mod.ts";
import {
  ANSWER,
  answering,
  build,
  linuxTest,
  nativeTest,
  ROUTINES,
  runChild,
  sample,
  stubMappings,
} from "../support/modules.ts";

const ADD = { parameters: ["i32", "i32"], result: "i32" } as const;
const PAIR = { struct: ["i64", "i64"] } as const;

nativeTest("a name is bound once for equal definitions, whatever objects hold them", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const add = module.getFunction("add32", ADD);
  assertStrictEquals(module.getFunction("add32", { parameters: ["i32", "i32"], result: "i32" }), add);
  assertStrictEquals(module.bind({ add32: ADD }).symbols.add32, add);
  const { first, second } = module.bind({
    first: { ...ADD, name: "add32" },
    second: { ...ADD, name: "add32" },
  }).symbols;
  assertStrictEquals(first, add);
  assertStrictEquals(second, add);
  assertEquals(module.callPaths(), [{ name: "add32", path: "fast" }]);
});

nativeTest("`nonblocking: false` is the same definition as none", () => {
  using module = new ModuleLoader().loadBytes(sample());
  assertStrictEquals(
    module.getFunction("add32", { ...ADD, nonblocking: false }),
    module.getFunction("add32", ADD) as unknown,
  );
});

nativeTest("another definition of the same name is another function", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const definitions: Deno.ForeignFunction[] = [
    ADD,
    { parameters: ["u32", "i32"], result: "i32" },
    { parameters: ["i32", "i32"], result: "u32" },
    { parameters: ["i32"], result: "i32" },
    { parameters: [PAIR], result: "i32" },
    { parameters: [{ struct: ["i64", "i32"] }], result: "i32" },
    { ...ADD, nonblocking: true },
  ];
  const functions = definitions.map((definition) => module.getFunction("add32", definition));
  assertEquals(new Set(functions).size, definitions.length);
  assertEquals(module.getFunction("add32", ADD)!(-1, 0), -1);
  assertEquals(
    module.getFunction("add32", { parameters: ["i32", "i32"], result: "u32" })!(-1, 0),
    0xffff_ffff,
  );
});

nativeTest("the same definition by another path is another function", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const fast = module.getFunction("add32", ADD, { callPath: "fast" })!;
  const pointer = module.getFunction("add32", ADD, { callPath: "pointer" })!;
  assertNotStrictEquals(fast, pointer);
  assertEquals([fast(2, 3), pointer(2, 3)], [5, 5]);
  assertEquals(module.callPaths(), [{ name: "add32", path: "fast" }, { name: "add32", path: "pointer" }]);
});

nativeTest("two names of one address are two functions, each with its name", () => {
  using module = new ModuleLoader().loadBytes(
    build({ routines: { a: { hex: "31 c0 c3" }, b: { hex: "b8 01 00 00 00 c3" } } }),
  );
  assertEquals(module.getFunction("a", ANSWER)!.name, "a");
  assertEquals(module.getFunction("b", ANSWER)!(), 1);
});

nativeTest("a symbol that is named like the entry point is not taken for it", () => {
  using module = new ModuleLoader().loadBytes(
    build({
      routines: { "(entry point)": { hex: "b8 01 00 00 00 c3" }, start: { hex: "b8 02 00 00 00 c3" } },
      entry: "start",
    }),
  );
  assertEquals(module.getFunction("(entry point)", ANSWER)!(), 1);
  assertEquals(module.entryPoint(ANSWER)!(), 2);
});

nativeTest("many functions share one library, and functions that are bound already need none", () => {
  const names = Array.from({ length: 500 }, (_, index) => `f${index}`);
  const routines = Object.fromEntries(names.map((name, index) => [name, {
    hex: `b8 ${(index & 255).toString(16).padStart(2, "0")} 0${index >> 8} 00 00 c3`,
  }]));
  using module = new ModuleLoader({ callPath: "fast" }).loadBytes(build({ routines }));
  const before = stubMappings();
  const definitions = Object.fromEntries(names.map((name) => [name, ANSWER]));
  const symbols = module.bind(definitions).symbols as Record<string, () => number>;
  assertEquals(names.map((name) => symbols[name]()), names.map((_, index) => index));
  assertEquals(stubMappings(), before + 1);
  module.bind(definitions);
  for (const name of names) module.getFunction(name, ANSWER);
  assertEquals(stubMappings(), before + 1);
  module.getFunction("f0", { parameters: [], result: "u32" });
  assertEquals(stubMappings(), before + 2);
  module.close();
  assertEquals(stubMappings(), before);
});

nativeTest("binding nothing opens nothing", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const before = stubMappings();
  assertEquals(Object.keys(module.bind({}).symbols), []);
  assertEquals(stubMappings(), before);
});

nativeTest("auto takes the pointer path for nonblocking calls, else the fast one", () => {
  using module = new ModuleLoader().loadBytes(sample());
  module.bind({
    add32: ADD,
    first: { parameters: ["buffer"], result: "u8" },
    offset: { parameters: ["pointer", "usize"], result: "pointer" },
    call: { parameters: ["function", "i32"], result: "i32" },
    sumPair: { parameters: [{ struct: ["f64", "f64"] }], result: "f64" },
    pair: { parameters: ["i64", "i64"], result: PAIR },
    wait: { parameters: ["buffer"], result: "i32", nonblocking: true },
  });
  assertEquals(Object.fromEntries(module.callPaths().map(({ name, path }) => [name, path])), {
    add32: "fast",
    first: "fast",
    offset: "fast",
    call: "fast",
    sumPair: "fast",
    pair: "fast",
    wait: "pointer",
  });
  assertEquals(module.fallbackReason, undefined);
});

for (const callPath of ["auto", "fast", "pointer"] as const) {
  nativeTest(`structs and nonblocking calls give the same by the ${callPath} path`, async () => {
    await using module = new ModuleLoader({ callPath }).loadBytes(sample());
    const { sumPair, pair, wait, add32 } = module.bind({
      sumPair: { parameters: [{ struct: ["f64", "f64"] }], result: "f64" },
      pair: { parameters: ["i64", "i64"], result: PAIR },
      wait: { parameters: ["buffer"], result: "i32", nonblocking: true },
      add32: { ...ADD, nonblocking: true },
    }).symbols;
    assertEquals(sumPair(new Uint8Array(new Float64Array([1.5, 2.25]).buffer)), 3.75);
    const result = pair(-5n, 2n ** 62n);
    assertEquals(new BigInt64Array(result.buffer, result.byteOffset, 2), new BigInt64Array([-5n, 2n ** 62n]));
    assertEquals(await wait(new Int32Array([77])), 77);
    assertEquals(
      await Promise.all(Array.from({ length: 20 }, (_, index) => add32(index, 1))),
      [
        ...Array(20).keys(),
      ].map((index) => index + 1),
    );
  });
}

nativeTest("an invalid definition is a TypeError, and nothing is bound by it", () => {
  using module = new ModuleLoader().loadBytes(sample());
  const before = stubMappings();
  const bind = (definition: unknown, callPath: "fast" | "auto") =>
    module.getFunction("add32", definition as Deno.ForeignFunction, { callPath });
  for (const path of ["fast", "auto"] as const) {
    assertThrows(() => bind({ parameters: ["i99"], result: "i32" }, path), TypeError);
    assertThrows(() => bind({ parameters: ["i32"], result: "nonsense" }, path), TypeError);
  }
  assertEquals([stubMappings(), module.fallbackReason], [before, undefined]);
  assertEquals(module.getFunction("add32", ADD)!(1, 1), 2);
});

linuxTest("where no file in memory can be made, auto gives one reason and calls by pointer", async () => {
  const result = await runChild(new URL("./no_stub_child.ts", import.meta.url), { args: ["memfd"] });
  assertEquals(result.code, 0, result.stderr);
  const { auto, before, paths, reasons, fast, hint, afterwards } = JSON.parse(result.stdout);
  assertEquals([auto, before, paths], [[5, 7], "fast", ["pointer", "pointer"]]);
  assertEquals(new Set(reasons).size, 1);
  assert(/memfd_create/.test(reasons[0]), reasons[0]);
  assertEquals(fast, "Unsupported");
  assertEquals(hint, 'bind with callPath "auto", which falls back to calls by address');
  assertEquals(afterwards, "fast", "another module tries again");
  assertEquals(result.stderr, "", "nothing is printed");
});

linuxTest("where the library cannot be opened, auto calls by pointer too", async () => {
  const result = await runChild(new URL("./no_stub_child.ts", import.meta.url), { args: ["dlopen"] });
  assertEquals(result.code, 0, result.stderr);
  const { auto, paths, reasons, fast, hint, afterwards } = JSON.parse(result.stdout);
  assertEquals([auto, paths, fast, afterwards], [[5, 7], ["pointer", "pointer"], "Unsupported", "fast"]);
  assert(typeof reasons[0] === "string" && reasons[0] !== "");
  assertEquals(hint, 'bind with callPath "pointer", which needs no stub library');
});

nativeTest("fallbackReason stays undefined as long as nothing falls back", () => {
  using module = new ModuleLoader({ callPath: "pointer" }).loadBytes(answering(1));
  module.getFunction("value", ANSWER)!();
  assertEquals(module.fallbackReason, undefined);
});

nativeTest("equal names and definitions in two modules are two functions", () => {
  const loader = new ModuleLoader();
  using one = loader.loadBytes(answering(1));
  using two = loader.loadBytes(answering(2));
  const [first, second] = [one, two].map((module) => module.getFunction("value", ANSWER)!);
  assertNotStrictEquals(first, second);
  assertEquals([first(), second()], [1, 2]);
});

nativeTest("8 parameters and more arrive, in registers and on the stack", () => {
  using module = new ModuleLoader().loadBytes(build({ routines: ROUTINES }));
  const definition = { parameters: Array(8).fill("i64") as "i64"[], result: "i64" } as const;
  for (const callPath of ["fast", "pointer"] as const) {
    const sum = module.getFunction("sum8", definition, { callPath })! as (...values: bigint[]) => bigint;
    assertEquals(sum(1n, 20n, 300n, 4000n, 50000n, 600000n, 7000000n, 80000000n), 87654321n);
  }
});

linuxTest("an error while binding is a LoadError that names the symbols", async () => {
  const result = await runChild(new URL("./no_stub_child.ts", import.meta.url), { args: ["memfd"] });
  const { symbols, isLoadError } = JSON.parse(result.stdout);
  assertEquals([symbols, isLoadError], [["add32"], true]);
  assert(LoadError);
});
