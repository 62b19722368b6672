/**
 * Loads the fixture of functions that crash, calls one, and prints the result if it
 * comes back: `crash_child.ts VARIANT FUNCTION PLACE REPORTS`.
 */
import { FUNCTIONS, linkCrashes, makeRegistry } from "../../support/crashes.ts";

async function run([variant, name, place, reports]: readonly string[]): Promise<void> {
  const module = makeRegistry({ crashReport: reports === "on" }).loadBytes("crashes", linkCrashes(variant));
  const called = place === "thread" ? "in_thread" : name;
  const definition = { parameters: ["i32"], result: "i32", nonblocking: place === "nonblocking" } as const;
  const argument = place === "thread" ? FUNCTIONS.findIndex((each) => each === name) : 1;
  console.log(await module.getFunction(called, definition)?.(argument));
}

/** A Worker gets its arguments by a message. */
const isWorker = !("Window" in self);
if (isWorker) self.addEventListener("message", (event) => void run((event as MessageEvent).data));
else if (import.meta.main && Deno.args[2] === "worker") {
  // On Windows the isolate has loaded a module, too: there is one handler for both.
  if (Deno.build.os === "windows") makeRegistry().loadBytes("crashes", linkCrashes("plain"));
  const worker = new Worker(import.meta.url, { type: "module" });
  worker.postMessage(Deno.args);
} else if (import.meta.main) await run(Deno.args);
