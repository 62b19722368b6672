/** Calls a Rust function that panics, in the way that the argument names. */
import { ModuleRegistry } from "../../mod.ts";
import { RUNTIME } from "../support/program_tests.ts";

const [way] = Deno.args;
const PANIC_OUT = { parameters: ["i32"], result: "i64" } as const;

const callPath = way === "nonblocking" ? "auto" : way as "fast" | "pointer";
const registry = new ModuleRegistry({ libraries: RUNTIME, callPath });
const module = registry.load(new URL("../../fixtures/rust/tour.smf", import.meta.url));
console.log("calling");
if (way === "nonblocking") await module.getFunction("panic_out", { ...PANIC_OUT, nonblocking: true })!(5);
else module.getFunction("panic_out", PANIC_OUT)!(5);
console.log("it came back");
