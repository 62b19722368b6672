/** Repeats a scenario, and prints by how much the process has grown since a warm-up. Needs `--expose-gc`. */
import { LoadedModule, ModuleLoader, ModuleRegistry } from "../../mod.ts";
import {
  ANSWER,
  answering,
  descriptors,
  mappingCount,
  sample,
  stubMappings,
  turn,
} from "../support/modules.ts";

const [scenario, rounds] = [Deno.args[0], Number(Deno.args[1])];
const collect = (globalThis as unknown as { gc(): void }).gc;
const loader = new ModuleLoader({ callPath: "fast" });
await using registry = new ModuleRegistry({ callPath: "fast", keepVersions: 0 });
// Keeps libraries that are opened once from closing with the last module.
registry.loadBytes("anchor", answering(0)).getFunction("value", ANSWER)!();
const [small, large] = [answering(7), sample()];

const WAIT = { parameters: ["buffer"], result: "i32", nonblocking: true } as const;
const check = (value: unknown, expected: unknown): void => {
  if (value !== expected) throw new Error(`${value} instead of ${expected}`);
};

let current: LoadedModule | undefined;

const SCENARIOS: Record<string, () => void | Promise<void>> = {
  loader() {
    using module = loader.loadBytes(large);
    const { add32, increment, counter } = module.bind({
      add32: { parameters: ["i32", "i32"], result: "i32" },
      increment: { parameters: [], result: "i64" },
      counter: { type: "i64" },
    }).symbols;
    check(add32(2, 3), 5);
    check(counter + 1n, increment());
  },
  registry() {
    const module = registry.loadBytes("m", small);
    check(module.getFunction("value", ANSWER)!(), 7);
    module.close();
    check(registry.modules().length, 1);
  },
  async nonblocking() {
    await using module = loader.loadBytes(large);
    const wait = module.getFunction("wait", WAIT)!;
    const flag = new Int32Array(1);
    const result = wait(flag);
    Atomics.store(flag, 0, 3);
    check(await result, 3);
  },
  garbage() {
    check(registry.loadBytes("m", small).getFunction("value", ANSWER)!(), 7);
    registry.unload("m");
  },
  reload() {
    const before = current ?? registry.loadBytes("r", small);
    current = registry.reload("r", { bytes: small });
    check(current.getFunction("value", ANSWER)!(), 7);
    before.close();
  },
  async share() {
    await using module = loader.loadBytes(small);
    using attached = LoadedModule.attach(structuredClone(module.share()), { callPath: "fast" });
    check(attached.getFunction("value", ANSWER)!(), 7);
  },
};

async function run(count: number): Promise<void> {
  for (let round = 0; round < count; round++) {
    await SCENARIOS[scenario]();
    if (round % 100 === 99) {
      collect();
      await turn();
    }
  }
  for (let round = 0; round < 5; round++) {
    collect();
    await turn();
  }
}

const measure = () => ({
  maps: mappingCount(),
  descriptors: descriptors().length,
  rss: Deno.memoryUsage().rss,
  stubs: stubMappings(),
});
measure();
// Until then, mappings of the engine come and go, and what it compiles grows.
await run(1000);
const before = measure();
await run(rounds);
const after = measure();
console.log(JSON.stringify({
  maps: after.maps - before.maps,
  descriptors: after.descriptors - before.descriptors,
  rss: after.rss - before.rss,
  stubs: after.stubs - before.stubs,
}));
