/**
 * Terminates a Worker while one of its nonblocking calls is in flight, then
 * ends the module in the way that the argument names, and prints what is left
 * of the version that the call may be running in, when it has ended for long.
 */
import { type LoadError, ModuleRegistry } from "../../../mod.ts";
import { permissionsAt } from "../../support/testing.ts";
import { version } from "../../support/versions.ts";
import type { ModuleOrder } from "../../support/module_worker.ts";
import { TestWorker, until } from "../../support/workers.ts";

const NAP = 300_000;
const file = (answer: number) => version({ functions: { answer, nap: "usleep" }, data: { total: [0n] } });

const registry = new ModuleRegistry({ libraries: ["libc.so.6"], keepVersions: 0 });
const module = registry.loadBytes("m", file(3));
const { address } = module.codeMemory;
const worker = new TestWorker<ModuleOrder>(new URL("../../support/module_worker.ts", import.meta.url));
const way = Deno.args[0];
const live = way === "reload"
  ? registry.open("m", {
    answer: { parameters: [], result: "i32" },
    total: { type: "i64" },
    nap: { parameters: ["u32"], result: "i32", nonblocking: true },
  })
  : undefined;
await worker.ask(
  live === undefined
    ? { kind: "attach", token: module.share() }
    : { kind: "attach live", token: live.share() },
);
await worker.ask({ kind: "begin nap", microseconds: NAP });
let refusal: string | undefined;
switch (way) {
  case "close":
    try {
      module.close();
    } catch (error) {
      refusal = (error as LoadError).kind;
    }
    worker.terminate();
    await until(() => {
      try {
        module.close();
        return true;
      } catch {
        return false;
      }
    });
    break;
  case "closeAsync":
    worker.terminate();
    await module.closeAsync();
    break;
  case "unload":
    worker.terminate();
    registry.unload("m", { force: true });
    break;
  case "reload":
    worker.terminate();
    registry.reload("m", { bytes: file(4) }).close();
    module.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    // The call may be in the first version still, which this must not free.
    registry.reload("m", { bytes: file(5) }).close();
    break;
}
await new Promise((resolve) => setTimeout(resolve, 2 * NAP / 1000));
console.log(JSON.stringify({
  refusal,
  open: module.isOpen,
  mapped: permissionsAt(address).startsWith("r-x"),
  holders: module.holders(),
  answer: live?.symbols.answer(),
}));
