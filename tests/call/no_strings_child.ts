/** Calls, and closes from a callback, where `new Function` is forbidden. */
import { type LoadError, ModuleLoader } from "../../mod.ts";
import { isMapped, sample, stubMappings, turn, warm } from "../support/modules.ts";
import { isCodeFromStringsForbidden } from "../support/process_state.ts";

const forbidden = isCodeFromStringsForbidden();
const module = new ModuleLoader().loadBytes(sample());
const { address } = module.codeMemory;
const { add32, call } = module.bind({
  add32: { parameters: ["i32", "i32"], result: "i32" },
  call: { parameters: ["function", "i32"], result: "i32" },
}).symbols;
const sum = add32(2, 3);
const stubs = [stubMappings()];
const warmSum = warm(() => add32(4, 5));
for (let count = 0; count < 100; count++) add32(count, 1);
stubs.push(stubMappings());
const [{ path }] = module.callPaths();
let closed = "";
const callback = new Deno.UnsafeCallback({ parameters: ["i32"], result: "i32" }, (value) => {
  module.close();
  try {
    add32(1, 1);
  } catch (error) {
    closed = (error as LoadError).kind;
  }
  return value;
});
call(callback.pointer, 1);
const duringCallback = isMapped(address);
callback.close();
await turn();
console.log(
  JSON.stringify({
    forbidden,
    sum,
    warmSum,
    stubs,
    path,
    closed,
    duringCallback,
    afterwards: isMapped(address),
  }),
);
