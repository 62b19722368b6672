/**
 * Reloads and rolls back, also to versions that lack exports in use. Argument: the
 * number of rounds. Needs `--expose-gc`.
 */
import { ModuleRegistry } from "../../mod.ts";
import { WatchedAllocator } from "../support/testing.ts";
import { INT, version } from "../support/versions.ts";

/**
 * The output, as JSON: a sample after a quarter of the rounds and one at the end.
 * Each has the number of live allocations, their mappings, and the bytes that the
 * engine uses after a collection. Resident memory, which varies with the heap, is
 * not sampled.
 */
export type Outcome = readonly { readonly live: number; readonly mappings: number; readonly used: number }[];

const gc = (globalThis as unknown as { gc: () => void }).gc;
const rounds = Number(Deno.args[0]);
const full = (answer: number) =>
  version({ functions: { answer, twin: 7 }, data: { total: [0n], pointer: ["only"], only: [1n] } });
const lacking = (answer: number) => version({ functions: { answer }, data: { total: [0n], pointer: [0n] } });

const allocator = new WatchedAllocator();
const registry = new ModuleRegistry({ allocator });
registry.loadBytes("m", full(1));
const live = registry.open("m", { answer: INT, twin: INT });
registry.loadBytes("importer", version({ functions: { ask: "twin" }, data: { word: ["total"] } }));
const samples: Outcome[number][] = [];
for (let round = 1; round <= rounds; round++) {
  registry.reload("m", { bytes: full(round + 1), state: "carry" }).close();
  registry.rollback("m", { state: "carry", compatibility: "allow" }).close();
  registry.reload("m", { bytes: lacking(round + 1), state: "carry", compatibility: "allow" }).close();
  registry.reload("m", { bytes: lacking(round + 2), state: "carry", compatibility: "allow" }).close();
  registry.rollback("m", { compatibility: "allow" }).close();
  if (live.symbols.twin() !== 7 || live.symbols.answer() !== round + 1) throw new Error("wrong results");
  await new Promise((resolve) => setTimeout(resolve, 0));
  if (round !== Math.ceil(rounds / 4) && round !== rounds) continue;
  // Twice, because the second collection frees the objects that the first one finalises.
  for (let pass = 0; pass < 2; pass++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = Deno.memoryUsage();
  samples.push({
    live: allocator.live.size,
    mappings: allocator.mappings().length,
    used: heapUsed + external,
  });
}
await registry[Symbol.asyncDispose]();
console.log(JSON.stringify(samples));
