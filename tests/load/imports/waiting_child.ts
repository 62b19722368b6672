/**
 * Errors of callbacks that other threads call: `waiting_child.ts CASE VARIANT`. Each case ends with the stacks of the
 * errors, in the order in which they were thrown.
 */
import type { NativeCallback } from "../../../mod.ts";
import { linkCrashes, loadGuarded, makeRegistry } from "../../support/crashes.ts";

const CALL = { parameters: ["function", "i32"], result: "i32", nonblocking: true } as const;

const [name, variant = "lines"] = Deno.args;
using registry = makeRegistry();
const crashes = registry.loadBytes("crashes", linkCrashes(variant));
const guarded = loadGuarded(registry);
const call = crashes.getFunction("call", CALL)!;
const callTwice = guarded.getFunction("call_and_crash", CALL)!;
const callInThread = guarded.getFunction("call_in_thread", CALL)!;
const callHere = crashes.getFunction("call", { ...CALL, nonblocking: false })!;

const errors: Error[] = [];
function refuse(value: number): number {
  const error = new RangeError(`refused ${value}`);
  errors.push(error);
  throw error;
}
const callback = (work: (value: number) => number): NativeCallback =>
  registry.callback({ parameters: ["i32"], result: "i32", callback: (value: number) => work(value) });

const cases: Record<string, () => Promise<void>> = {
  async nonblocking() {
    using refusing = callback(refuse);
    console.log(await call(refusing.pointer, 1));
  },
  async thread() {
    using refusing = callback(refuse);
    console.log(await callInThread(refusing.pointer, 1));
  },
  async passed() {
    using doubling = callback((value) => 2 * value);
    console.log(await call(doubling.pointer, 4), await callInThread(doubling.pointer, 5));
  },
  // Threads that wait for one callback, each in another function: the remainder of the number says which. 0 comes of errors.
  async together() {
    using refusing = callback(refuse);
    const functions = [call, callTwice, callInThread];
    const calls = Array.from({ length: 30 }, (_, index) => functions[index % 3](refusing.pointer, index + 3));
    await Promise.all(calls);
  },
  // While one thread waits, JavaScript has other native code call the same callback.
  async both() {
    using refusing = callback((value) => {
      if (value === 8) return refuse(value);
      try {
        callHere(refusing.pointer, 8);
      } catch {
        // Its stack is shown.
      }
      return refuse(value);
    });
    console.log(await callInThread(refusing.pointer, 7));
  },
  async deep() {
    const deeper = (left: number): number => left === 0 ? refuse(0) : deeper(left - 1) + 1;
    using refusing = callback(() => deeper(30));
    await call(refusing.pointer, 7);
  },
};
await cases[name]();
for (const { stack, cause } of errors) {
  console.log(`${stack}\ncause: ${cause instanceof Error ? cause.message : cause}\n`);
}
