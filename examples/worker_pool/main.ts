/**
 * Shares one module among several Workers: the same code, the same variables. A
 * reload in the main thread reaches all of them between two calls, without a message.
 *
 *     deno run --allow-ffi --allow-read examples/worker_pool/main.ts
 *
 * The Workers count together in a module of its own, which is not reloaded: a call
 * that is still running in the old version counts there too.
 */

import { ModuleRegistry } from "@simple/loader";
import { PRIMES } from "./definitions.ts";

const LIMIT = 60_000, STEP = 2_000, WORKERS = 3;

const target = `${Deno.build.os}-${Deno.build.arch}`;
const build = (name: string): Uint8Array =>
  Deno.readFileSync(new URL(`./${target}/${name}.smf`, import.meta.url));

/** A Worker that answers each message with one message. */
class PoolWorker {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });

  ask<T>(message: unknown): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#worker.onmessage = ({ data }) => resolve(data);
    this.#worker.onerror = ({ message }) => reject(new Error(message));
    this.#worker.postMessage(message);
    return promise;
  }

  end(): void {
    this.#worker.postMessage("end");
  }
}

async function main(): Promise<void> {
  await using registry = new ModuleRegistry();
  const tally = registry.loadBytes("tally", build("tally"));
  registry.loadBytes("primes", build("primes_v1"));
  using primes = registry.open("primes", PRIMES);
  const pool = Array.from({ length: WORKERS }, () => new PoolWorker());
  await Promise.all(pool.map((worker) => worker.ask(primes.share())));

  // Each Worker takes the next range when it has finished one.
  const ranges = Array.from({ length: LIMIT / STEP }, (_, index) => [index * STEP, (index + 1) * STEP]);
  const byVersion = new Map<number, number>();
  let total = 0;
  const work = async (worker: PoolWorker): Promise<void> => {
    for (let range = ranges.shift(); range !== undefined; range = ranges.shift()) {
      const { count, version } = await worker.ask<{ count: number; version: number }>(range);
      total += count;
      byVersion.set(version, (byVersion.get(version) ?? 0) + 1);
      if (ranges.length === LIMIT / STEP / 2) {
        registry.reload("primes", { bytes: build("primes_v2") });
        console.log(`Reloaded while ${WORKERS - 1} Workers were calling`);
      }
    }
  };
  await Promise.all(pool.map(work));

  const examined = tally.getFunction("examined_so_far", { parameters: [], result: "i64" })?.();
  for (const [version, count] of byVersion) console.log(`Version ${version} answered for ${count} ranges`);
  console.log(`${total} primes below ${LIMIT}; ${examined} numbers examined by all together`);
  if (total !== 6_057 || examined !== BigInt(LIMIT)) throw new Error("a count is wrong");
  for (const worker of pool) worker.end();
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  console.log(`No module for ${target} is built`);
}
