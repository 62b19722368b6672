/** Drops all references to modules that a Worker uses, and prints how they go on. */
import { ModuleLoader, ModuleRegistry } from "../../../mod.ts";
import { permissionsAt } from "../../support/testing.ts";
import { version } from "../../support/versions.ts";
import type { ModuleOrder } from "../../support/module_worker.ts";
import { TestWorker, until } from "../../support/workers.ts";

const gc = (globalThis as unknown as { gc: () => void }).gc;
const answering = (answer: number) => version({ functions: { answer }, data: { total: [0n] } });

async function collect(): Promise<void> {
  for (let round = 0; round < 12; round++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function worker(): TestWorker<ModuleOrder> {
  return new TestWorker<ModuleOrder>(new URL("../../support/module_worker.ts", import.meta.url));
}

async function pinned(one: TestWorker<ModuleOrder>): Promise<bigint> {
  const module = new ModuleLoader().loadBytes(answering(7));
  await one.ask({ kind: "attach", token: module.share() });
  return module.codeMemory.address;
}

const first = worker();
const address = await pinned(first);
await collect();
const pinnedAnswer = await first.ask({ kind: "call" });
await first.ask({ kind: "close" });
await until(() => !permissionsAt(address).startsWith("r-x"));

// Live functions over reloads, when the owner keeps only the registry.
const registry = new ModuleRegistry();
const path = Deno.makeTempFileSync({ suffix: ".smf" });
Deno.writeFileSync(path, answering(1));
const second = worker();
const live = { answer: { parameters: [], result: "i32" }, total: { type: "i64" } } as const;
await second.ask({ kind: "attach live", token: (() => registry.open(path, live).share())() });
await collect();
const answers = [await second.ask({ kind: "call" })];
registry.reload(path, { bytes: answering(2) }).close();
await collect();
answers.push(await second.ask({ kind: "call" }));
const modules = registry.modules().length;
second.terminate();
await until(() => registry.modules().length === 0);
Deno.removeSync(path);
first.terminate();
console.log(JSON.stringify({ pinnedAnswer, answers, modules }));
