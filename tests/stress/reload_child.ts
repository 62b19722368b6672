/**
 * Calls live functions in this isolate and in two Workers while the module is
 * reloaded. Arguments: the numbers of calls and reloads. Needs `--expose-gc`.
 */
import { ModuleRegistry } from "../../mod.ts";
import { mappings } from "../support/testing.ts";
import { TestWorker } from "../support/workers.ts";
import { version } from "../support/versions.ts";
import { callBatch, LIVE, type Tally, TWIN } from "./live_calls.ts";

/** The output, as JSON. */
export interface Outcome {
  /** The tally of this isolate, then those of the Workers. */
  readonly tallies: readonly Tally[];
  /** The number of mappings and the resident bytes over time, each after a garbage collection. */
  readonly samples: readonly { readonly mappings: number; readonly resident: number }[];
  readonly isOpen: boolean;
}

const BATCH = 2000;
const gc = (globalThis as unknown as { gc: () => void }).gc;

function numbered(number: number): Uint8Array {
  return version({ functions: { answer: number, twin: number + TWIN }, data: { total: [BigInt(number)] } });
}

async function run(calls: number, reloads: number): Promise<Outcome> {
  const registry = new ModuleRegistry();
  registry.loadBytes("m", numbered(1));
  const live = registry.open("m", LIVE);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  using stack = new DisposableStack();
  const workers = [0, 1].map(() =>
    stack.use(new TestWorker<unknown>(new URL("./live_worker.ts", import.meta.url)))
  );
  for (const worker of workers) await worker.ask({ token: live.share(), stop: stop.buffer, batch: BATCH });
  const tally: Tally = { calls: 0, wrong: 0, backwards: 0, last: 0, failed: "" };
  const samples: { mappings: number; resident: number }[] = [];
  const sampleEvery = Math.max(1, Math.floor(reloads / 20));
  for (let reload = 1; reload <= reloads || tally.calls < calls; reload++) {
    if (reload <= reloads) {
      const state = reload % 3 === 0 ? "carry" : "fresh";
      registry.reload("m", { bytes: numbered(reload + 1), state }).close();
    }
    callBatch(live.symbols, BATCH, tally);
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (reload <= reloads && reload % sampleEvery === 0) {
      gc();
      samples.push({ mappings: mappings().length, resident: Deno.memoryUsage().rss });
    }
  }
  Atomics.store(stop, 0, 1);
  const tallies = [tally, ...await Promise.all(workers.map((worker) => worker.answer() as Promise<Tally>))];
  await registry[Symbol.asyncDispose]();
  return { tallies, samples, isOpen: live.isOpen };
}

const [calls, reloads] = Deno.args.map(Number);
console.log(JSON.stringify(await run(calls, reloads)));
