/**
 * Two Workers call functions in a loop while modules are loaded, shared and
 * closed. Argument: the number of modules.
 */
import { ModuleLoader } from "../../mod.ts";
import { version } from "../support/versions.ts";
import { TestWorker } from "../support/workers.ts";
import type { ModuleOrder } from "../support/module_worker.ts";

const rounds = Number(Deno.args[0]);
const script = new URL("../support/module_worker.ts", import.meta.url);
const workers = [new TestWorker<ModuleOrder>(script), new TestWorker<ModuleOrder>(script)];
let calls = 0;
let unexpected = 0;
for (let round = 0; round < rounds; round++) {
  const module = new ModuleLoader().loadBytes(
    version({ functions: { answer: round }, data: { total: [0n] } }),
  );
  const token = module.share();
  for (const worker of workers) if (await worker.ask({ kind: "attach", token }) !== "attached") unexpected++;
  for (const worker of workers) await worker.ask({ kind: "call in batches until it throws", batch: 500 });
  // Every second round waits for the end of closing; in the others the next module is loaded while this one drains.
  const closed = module.closeAsync();
  if (round % 2 === 0) await closed;
  for (const worker of workers) {
    const answer = await worker.answer() as { kind: string; calls: number };
    if (answer.kind !== "Closed") unexpected++;
    calls += answer.calls;
  }
  await closed;
}
for (const worker of workers) worker.terminate();
console.log(JSON.stringify({ rounds, unexpected, called: calls > 0 }));
