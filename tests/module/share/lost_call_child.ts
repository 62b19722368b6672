/** Terminates a Worker while one of its nonblocking calls is in flight, prints the module's state, and exits. */
import { ModuleRegistry } from "../../../mod.ts";
import { permissionsAt } from "../../support/testing.ts";
import { version } from "../../support/versions.ts";
import type { ModuleOrder } from "../../support/module_worker.ts";
import { TestWorker } from "../../support/workers.ts";

const registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
const module = registry.loadBytes(
  "m",
  version({ functions: { answer: 3, nap: "usleep" }, data: { total: [0n] } }),
);
const { address } = module.codeMemory;
const worker = new TestWorker<ModuleOrder>(new URL("../../support/module_worker.ts", import.meta.url));
await worker.ask({ kind: "attach", token: module.share() });
await worker.ask({ kind: "begin nap", microseconds: 20_000 });
worker.terminate();
registry.unload("m", { force: true });
await new Promise((resolve) => setTimeout(resolve, 300));
console.log(JSON.stringify({
  open: module.isOpen,
  mapped: permissionsAt(address).startsWith("r-x"),
  holders: module.holders(),
}));
