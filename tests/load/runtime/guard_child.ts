/**
 * One case of the matrix of crashes: `guard_child.ts FUNCTION PLACE BETWEEN [VARIANT]`. Prints how
 * the call ended, if it came back, and whether other threads go on.
 */
import { functionsOf, loadGuarded, makeRegistry } from "../../support/crashes.ts";

/** The cases between the guard and the crash: nothing, or a callback of JavaScript that calls with or without a guard. */
export const BETWEEN = ["nothing", "guarded callback", "callback"] as const;

const DEFINITION = { parameters: ["i32"], result: "i32" } as const;
const WITH_FUNCTION = { parameters: ["function", "i32"], result: "i32" } as const;

async function run([name, place, between, variant]: readonly string[]): Promise<void> {
  const registry = makeRegistry({ onCrash: "throw" });
  const module = loadGuarded(registry, {}, variant);
  // A handle of its own on the same version.
  const unguarded = loadGuarded(registry, { onCrash: "end" });
  const nonblocking = place === "nonblocking" || place === "thread" ? { nonblocking: true as const } : {};
  const crash = (between === "callback" ? unguarded : module).getFunction(name, DEFINITION)!;
  let ending = "nothing was thrown";
  const callback = new Deno.UnsafeCallback(DEFINITION, (number) => {
    try {
      return crash(number) as number;
    } catch (error) {
      ending = `in the callback: ${functionsOf(error)}`;
      return 7;
    }
  });
  try {
    if (between !== "nothing") {
      const caller = place === "thread" ? "call_in_thread" : "call";
      const call = module.getFunction(caller, { ...WITH_FUNCTION, ...nonblocking })!;
      const result = await call(callback.pointer, 1);
      if (result !== 8) ending = `the caller returned ${result}`;
    } else if (place === "thread") {
      using target = module.addressOf(name)!;
      const call = module.getFunction("call_in_thread", { ...WITH_FUNCTION, ...nonblocking })!;
      await call(Deno.UnsafePointer.create(target.address), 1);
    } else await module.getFunction(name, { ...DEFINITION, ...nonblocking })!(1);
  } catch (error) {
    ending = functionsOf(error);
  }
  callback.close();
  const heap = await unguarded.getFunction("use_heap_in_thread", { ...DEFINITION, nonblocking: true })!(5);
  console.log(`${ending}; ${heap === 5 ? "others go on" : "others do not go on"}`);
}

/** A Worker gets its arguments by a message. */
const isWorker = !("Window" in self);
if (isWorker) {
  self.addEventListener("message", async (event) => {
    await run((event as MessageEvent).data);
    self.close();
  });
} else if (import.meta.main && Deno.args[1] === "worker") {
  const worker = new Worker(import.meta.url, { type: "module" });
  worker.postMessage(Deno.args);
} else if (import.meta.main) await run(Deno.args);
