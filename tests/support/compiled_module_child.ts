/** Does what a plan of compiled_module.ts says. */
import { ModuleRegistry } from "../../mod.ts";
import type { ModulePlan } from "./compiled_module.ts";

const { modules, libraries, calls }: ModulePlan = JSON.parse(Deno.args[0]);
const registry = new ModuleRegistry(libraries === undefined ? {} : { libraries, keepVersions: 0 });
const loaded = modules.map((path) => registry.load(path));
for (const name of calls) {
  console.log(loaded.at(-1)!.getFunction(name, { parameters: [], result: "i32" })!());
}
for (const module of loaded.reverse()) {
  registry.unload(module.path, { force: true });
  await module.closeAsync();
}
registry[Symbol.dispose]();
console.log("closed");
