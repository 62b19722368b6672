/** Calls functions that jump over their own frames, and crash before or after: `guard_jumps_child.ts PATH`. */
import { assertEquals, assertThrows } from "@std/assert";
import { LoadError, ModuleRegistry } from "../../../mod.ts";

const NUMBER = { parameters: ["i32"], result: "i32" } as const;
const registry = new ModuleRegistry({ onCrash: "throw" });
const module = registry.load(Deno.args[0]);
const [jump, crashAfter, crashDeep] = ["jump", "crash_after", "crash_deep"].map((name) =>
  module.getFunction(name, NUMBER)! as (number: number) => number
);
const functionsOf = (call: () => void): unknown => {
  const { kind, data } = assertThrows(call, LoadError);
  assertEquals([kind, data.signal], ["Crashed", "SIGSEGV"]);
  module.endQuarantine();
  return [...new Set(data.frames!.map((frame) => frame.function))];
};
for (let turn = 0; turn < 200; turn++) {
  assertEquals(jump(turn), turn + 20);
  assertEquals(functionsOf(() => crashAfter(turn)), ["crash_after"]);
  assertEquals(functionsOf(() => crashDeep(20)), ["deep", "crash_deep"]);
  assertEquals(jump(turn), turn + 20);
}
// Guards of calls in a callback, which a crash has left, are not found by later ones.
const callback = registry.callback({
  ...NUMBER,
  callback(number: number) {
    assertEquals(functionsOf(() => crashDeep(number)), ["deep", "crash_deep"]);
    return jump(number);
  },
});
const call = module.getFunction("call", { parameters: ["function", "i32"], result: "i32" })!;
for (let turn = 1; turn < 200; turn++) {
  assertEquals(call(callback.pointer, turn), turn + 21);
  assertEquals(functionsOf(() => crashAfter(turn)), ["crash_after"]);
}
callback[Symbol.dispose]();
console.log("held");
