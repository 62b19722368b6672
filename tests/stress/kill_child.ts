/**
 * Reloads, calls and binds a module for ever; prints `running` after a few rounds.
 * With the argument `once`, ends by itself.
 */
import { ModuleRegistry } from "../../mod.ts";
import { ANSWER, answering } from "../support/modules.ts";

const [path, how] = Deno.args;
const registry = new ModuleRegistry();
const live = registry.open(path, { value: ANSWER });
const first = live.symbols.value();
for (let round = 1; how !== "once" || round < 20; round++) {
  const bytes = answering(round % 1000);
  const reloaded = round % 3 === 0 ? registry.reload(path) : registry.reload(path, { bytes });
  const expected = round % 3 === 0 ? first : round % 1000;
  if (live.symbols.value() !== expected || reloaded.getFunction("value", ANSWER)!() !== expected) {
    Deno.exit(3);
  }
  reloaded.close();
  if (round === 3) Deno.stdout.writeSync(new TextEncoder().encode("running\n"));
  if (round % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
}
live.close();
await registry[Symbol.asyncDispose]();
