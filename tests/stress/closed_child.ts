/** Calls functions of a closed module, by every call path; the argument is the number of calls of each. */
import { LoadError, ModuleLoader } from "../../mod.ts";
import { sample } from "../support/modules.ts";

const count = Number(Deno.args[0]);
const ADD = { parameters: ["i32", "i32"], result: "i32" } as const;
const module = new ModuleLoader().loadBytes(sample());
const calls: (() => unknown)[] = [];
const fast = module.getFunction("add32", ADD, { callPath: "fast" })!;
const slow = module.getFunction("add32", ADD, { callPath: "pointer" })!;
const later = module.getFunction("wait", { parameters: ["buffer"], result: "i32", nonblocking: true })!;
for (let index = 0; index < 100_000; index++) fast(index, 1);
const flag = new Int32Array([1]);
calls.push(() => fast(1, 2), () => slow(1, 2), () => later(flag));
module.close();
let thrown = 0;
const kinds = new Set<string>();
for (const call of calls) {
  for (let index = 0; index < count; index++) {
    try {
      call();
    } catch (error) {
      thrown++;
      kinds.add(error instanceof LoadError ? error.kind : String(error));
    }
  }
}
console.log(JSON.stringify({ thrown, kinds: [...kinds] }));
