/**
 * Loads the fixture of functions that crash, calls one, and prints the result if it
 * comes back: `crash_child.ts VARIANT FUNCTION PLACE REPORTS`.
 */
import { linkObjects, type LinkOptions, ModuleRegistry } from "../../../mod.ts";
import { FOLDER, objectName } from "../../../fixtures/build_crashes.ts";

/** Where a function is called: in this isolate, in a Worker, in a nonblocking call, or on a thread of the module's own. */
export type Place = "main" | "worker" | "nonblocking" | "thread";

/** The functions in the order of the fixture's table. */
export const FUNCTIONS = [
  "by_store",
  "by_libc",
  "by_abort",
  "by_division",
  "by_trap",
  "by_overflow",
  "by_sort",
  "by_null_call",
] as const;

/** Links a variant of the fixture. */
export function linkCrashes(variant: string, options: LinkOptions = {}): Uint8Array {
  const name = objectName(variant, Deno.build.arch);
  const bytes = Deno.readFileSync(new URL(name, FOLDER));
  return linkObjects([{ name, bytes }], { ...options, ...variant === "tables" ? { unwind: true } : {} })
    .bytes;
}

async function run([variant, name, place, reports]: readonly string[]): Promise<void> {
  const registry = new ModuleRegistry({ crashReport: reports === "on" });
  const module = registry.loadBytes("crashes", linkCrashes(variant));
  const called = place === "thread" ? "in_thread" : name;
  const definition = { parameters: ["i32"], result: "i32", nonblocking: place === "nonblocking" } as const;
  const argument = place === "thread" ? FUNCTIONS.findIndex((each) => each === name) : 1;
  console.log(await module.getFunction(called, definition)?.(argument));
}

/** A Worker gets its arguments by a message. */
const isWorker = !("Window" in self);
if (isWorker) self.addEventListener("message", (event) => void run((event as MessageEvent).data));
else if (import.meta.main && Deno.args[2] === "worker") {
  const worker = new Worker(import.meta.url, { type: "module" });
  worker.postMessage(Deno.args);
} else if (import.meta.main) await run(Deno.args);
