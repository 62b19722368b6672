/** Uses two copies of the package in one isolate, alternately. */
import * as first from "../../mod.ts";
import { ANSWER, answering } from "../support/modules.ts";

const second = await import(`file://${Deno.args[0]}/mod.ts`) as typeof first;
const loaders = [new first.ModuleLoader({ callPath: "fast" }), new second.ModuleLoader({ callPath: "fast" })];
let wrong = 0;
let fast = 0;
const kept: { value: number; call: () => number; close: () => void }[] = [];
for (let value = 0; value < 60; value++) {
  const module = loaders[value % 2].loadBytes(answering(value));
  kept.push({ value, call: module.getFunction("value", ANSWER)!, close: () => module.close() });
  if (module.callPaths()[0].path === "fast") fast++;
}
for (const { value, call } of kept) if (call() !== value) wrong++;
for (const { close } of kept) close();
console.log(JSON.stringify({ distinct: first.ModuleLoader !== second.ModuleLoader, wrong, fast }));
