/**
 * Reads live views and statics over many reloads that free the old versions, and
 * through the values of old ones; what is wrong ends the process by a signal.
 */
import { ModuleRegistry } from "../../mod.ts";
import { build, turn, word } from "../support/modules.ts";

const collect = (globalThis as unknown as { gc(): void }).gc;

function version(number: number): Uint8Array<ArrayBuffer> {
  return build({
    routines: { nothing: { hex: "c3" } },
    data: { counter: word(BigInt(number)), grid: new Uint8Array(8192).fill(number & 0xff) },
  });
}

const registry = new ModuleRegistry({ keepVersions: 0 });
const first = registry.loadBytes("m", version(0));
const live = registry.open("m", { counter: { type: "i64" } });
first.close();
const grid = live.view("grid", { type: "u8" });
const old: Uint8Array[] = [];
let wrong = 0;
for (let number = 1; number <= 200; number++) {
  old.push(grid.value);
  // Every third version is never read.
  registry.reload("m", { bytes: version(number) }).close();
  if (number % 5 === 0) await turn();
  if (number % 40 === 0) collect();
  if (old.some((view) => view.length !== 0 || view[4] !== undefined)) wrong++;
  if (number % 3 === 0) continue;
  if (live.symbols.counter !== BigInt(number) || grid.value[8191] !== (number & 0xff)) wrong++;
}
old.push(grid.value);
await registry[Symbol.asyncDispose]();
if (old.some((view) => view.length !== 0)) wrong++;
try {
  void live.symbols.counter;
  wrong++;
} catch {
  // As it should be.
}
console.log(`200 reloads, ${wrong} wrong`);
