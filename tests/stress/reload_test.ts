/**
 * Reloads while everybody calls. `SMF_STRESS=1` runs all of it: 10⁷ calls and
 * 1,000 reloads.
 */
import { assert, assertEquals } from "@std/assert";
import { ModuleRegistry } from "../../mod.ts";
import { mappings, NO_PROC, stress } from "../testing.ts";
import { TestWorker } from "../share/workers.ts";
import { version } from "../versions.ts";
import { callBatch, LIVE, type Tally, TWIN } from "./live_calls.ts";

const RELOADS = stress(1000);
const CALLS = stress(10_000_000);
const BATCH = 2000;

function numbered(number: number): Uint8Array {
  return version({ functions: { answer: number, twin: number + TWIN }, data: { total: [BigInt(number)] } });
}

/** Bytes that are resident. */
function resident(): number {
  return Deno.memoryUsage().rss;
}

Deno.test("main thread and two Workers call while versions change: no failed call, no wrong answer", async () => {
  const registry = new ModuleRegistry();
  registry.loadBytes("m", numbered(1));
  const live = registry.open("m", LIVE);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  using stack = new DisposableStack();
  const workers = [0, 1].map(() =>
    stack.use(new TestWorker<unknown>(new URL("./live_worker.ts", import.meta.url)))
  );
  for (const worker of workers) {
    assertEquals(await worker.ask({ token: live.share(), stop: stop.buffer, batch: BATCH }), "attached");
  }
  const tally: Tally = { calls: 0, wrong: 0, backwards: 0, last: 0, failed: "", pause: 0 };
  const samples: { mappings: number; resident: number }[] = [];
  const sampleEvery = Math.max(1, Math.floor(RELOADS / 20));
  for (let reload = 1; reload <= RELOADS || tally.calls < CALLS; reload++) {
    if (reload <= RELOADS) {
      const state = reload % 3 === 0 ? "carry" : "fresh";
      registry.reload("m", { bytes: numbered(reload + 1), state }).close();
      if (reload % sampleEvery === 0) {
        samples.push({ mappings: mappings().length, resident: resident() });
      }
    }
    callBatch(live.symbols, BATCH, tally);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  Atomics.store(stop, 0, 1);
  const tallies = [tally, ...await Promise.all(workers.map((worker) => worker.answer() as Promise<Tally>))];
  for (const { wrong, backwards, failed, calls } of tallies) {
    assertEquals([failed, wrong, backwards], ["", 0, 0]);
    assert(calls > 0);
  }
  assertEquals(tally.last, RELOADS + 1);
  const calls = tallies.reduce((sum, { calls }) => sum + calls, 0);
  assert(calls > CALLS, `${calls} calls`);
  // Flat over the second half; the engine's own comes and goes.
  const half = samples.slice(samples.length >> 1);
  if (!NO_PROC && half.length > 4) {
    const [first, last] = [half[0], half.at(-1)!];
    assert(last.mappings - first.mappings < 24, JSON.stringify(samples));
    assert(last.resident - first.resident < 32 * 1024 * 1024, JSON.stringify(samples));
  }
  await registry[Symbol.asyncDispose]();
  assertEquals(live.isOpen, false);
});
