// Calls a function that writes past its buffer; the process must end in it.
import { ModuleRegistry } from "../../../mod.ts";

const registry = new ModuleRegistry();
const { symbols } = registry.load(Deno.args[0]).bind({ fill: { parameters: ["i32"], result: "i32" } });
console.log(`inside: ${symbols.fill(8)}`);
symbols.fill(Number(Deno.args[1]));
console.log("survived");
