/** Loads a module, calls its function `test` with a number, and prints the result. */
import { ModuleRegistry } from "../../../mod.ts";

using registry = new ModuleRegistry({ libraries: [] });
const [path, argument] = Deno.args;
const test = registry.load(path).getFunction("test", { parameters: ["i32"], result: "i32" });
console.log(test?.(Number(argument)));
