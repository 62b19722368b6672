/** Calls a C++ function whose exception nobody catches, in the way that the argument names. */
import { type LoadedModule, ModuleRegistry } from "../../mod.ts";
import { RUNTIME } from "../support/program_tests.ts";

const RAISE = { parameters: ["i32"], result: "i32" } as const;
const [way] = Deno.args;

function load(callPath?: "fast" | "pointer"): LoadedModule {
  const registry = new ModuleRegistry({ libraries: RUNTIME, ...(callPath && { callPath }) });
  return registry.load(new URL("../../fixtures/cpp/thrower.smf", import.meta.url));
}

async function raise(): Promise<void> {
  switch (way) {
    case "fast":
    case "pointer":
      load(way).getFunction("raise_problem", RAISE)!(1);
      return;
    case "nonblocking":
      await load().getFunction("raise_problem", { ...RAISE, nonblocking: true })!(1);
      return;
    case "Worker":
      new Worker(new URL("./escape_worker.ts", import.meta.url), { type: "module" }).postMessage(
        load().share(),
      );
      await new Promise((resolve) => setTimeout(resolve, 60_000));
      return;
    case "callback": {
      // C++ calls JavaScript, which calls C++ again: an exception cannot pass JavaScript.
      const raise = load().getFunction("raise_problem", RAISE)!;
      const heard = new Deno.UnsafeCallback(
        { parameters: ["pointer", "i32"], result: "i32" },
        () => raise(1),
      );
      const table = BigUint64Array.of(0n, 0n, BigInt(Deno.UnsafePointer.value(heard.pointer)));
      const listener = BigUint64Array.of(BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(table))));
      load().getFunction("tell", { parameters: ["buffer", "i32"], result: "i32" })!(listener, 1);
      heard.close();
    }
  }
}

console.log("calling");
await raise();
console.log("it came back");
