/** Drops live libraries, collects garbage, and prints how much of them is left. */
import { ModuleRegistry } from "../../mod.ts";
import { WatchedAllocator } from "../support/testing.ts";
import { INT, version } from "../support/versions.ts";

const gc = (globalThis as unknown as { gc: () => void }).gc;

async function collect(): Promise<void> {
  for (let round = 0; round < 12; round++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const file = Deno.makeTempFileSync({ suffix: ".smf" });
Deno.writeFileSync(file, version({ functions: { answer: 7 } }));
const allocator = new WatchedAllocator();
const registry = new ModuleRegistry({ allocator });

const functions = [(() => registry.open(file, { answer: INT }).symbols.answer)()];
await collect();
const held = registry.modules().length === 1;
const heldByFunction = functions[0]();
functions.length = 0;
await collect();
console.log(
  JSON.stringify({ held, modules: registry.modules().length, live: allocator.live.size, heldByFunction }),
);
Deno.removeSync(file);
