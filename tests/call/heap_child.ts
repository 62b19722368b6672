/**
 * Binds functions and closes their modules many times, collects garbage as a
 * program would, and prints the bytes by which V8's heap grows per cycle.
 * Argument: what a cycle binds. Needs `--v8-flags=--expose-gc`.
 */
import { type LoadedModule, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import { ANSWER, answering, sample, turn, warm } from "../support/modules.ts";

const collect = (globalThis as unknown as { gc(): void }).gc;
const loader = new ModuleLoader();
const [small, large] = [answering(7), sample()];
const INTEGERS = ["i32", "i32"] as const;

function bindOne(module: LoadedModule, callPath: "auto" | "fast"): () => number {
  return module.getFunction("value", ANSWER, { callPath })!;
}

const CYCLES: Readonly<Record<string, () => void>> = {
  "a function that is called once"() {
    using module = loader.loadBytes(small);
    bindOne(module, "auto")();
  },
  "a function that becomes fast"() {
    using module = loader.loadBytes(small);
    warm(bindOne(module, "auto"));
  },
  "a function that V8 optimises"() {
    using module = loader.loadBytes(small);
    const value = bindOne(module, "fast");
    for (let call = 0; call < 3000; call++) value();
  },
  "many functions together"() {
    using module = loader.loadBytes(large);
    module.bind({
      add32: { parameters: INTEGERS, result: "i32" },
      add64: { parameters: ["i64", "i64"], result: "i64" },
      increment: { parameters: [], result: "i64" },
      nothing: { parameters: [], result: "void" },
      counter: { type: "i64" },
    }, { callPath: "fast" }).symbols.add32(1, 2);
  },
  "a live library that follows a reload"() {
    using registry = new ModuleRegistry({ callPath: "fast", keepVersions: 0 });
    registry.loadBytes("m", small);
    using library = registry.open("m", { value: ANSWER });
    library.symbols.value();
    registry.reload("m", { bytes: small }).close();
    library.symbols.value();
  },
};

const cycle = CYCLES[Deno.args[0]];
const COUNT = 500;

async function run(): Promise<number> {
  for (let round = 1; round <= COUNT; round++) {
    cycle();
    if (round % 100 === 0) await settle();
  }
  for (let round = 0; round < 5; round++) await settle();
  return Deno.memoryUsage().heapUsed;
}

async function settle(): Promise<void> {
  collect();
  await turn();
}

// The first run warms up: V8 compiles and optimises the loader itself.
const before = await run();
const after = await run();
console.log(JSON.stringify(Math.round((after - before) / COUNT)));
