/** Calls a function that aborts for numbers other than 5: `abort_child.ts PATH FUNCTION ONCRASH`. */
import { ModuleRegistry } from "../../../mod.ts";

const [path, name, onCrash] = Deno.args;
const registry = new ModuleRegistry({ onCrash: onCrash as "throw" | "end" });
const call = registry.load(path).getFunction(name, { parameters: ["i32"], result: "i32" })!;
console.log((call(5) as number) - (name === "by_exception" ? 1 : 0));
try {
  console.log("it came back:", call(3));
} catch (error) {
  console.log("it threw:", error);
}
