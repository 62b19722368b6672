/** Loads a module, whose thread crashes on an alternate stack of the size that its argument gives. */
import { ModuleRegistry } from "../../../mod.ts";

const registry = new ModuleRegistry({ libraries: ["libc.so.6"] });
const module = registry.load(Deno.args[0]);
module.getFunction("run", { parameters: ["i32"], result: "i32" })!(Number(Deno.args[1]));
