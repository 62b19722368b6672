/** Errors of callbacks that native code calls: `throwing_child.ts CASE`. */
import type { ModuleRegistry, NativeCallback } from "../../../mod.ts";
import { linkCrashes, makeRegistry } from "../../support/crashes.ts";

const NUMBER = { parameters: ["i32"], result: "i32" } as const;
const CALL = { parameters: ["function", "i32"], result: "i32" } as const;

const variant = Deno.args[1] ?? "lines";
using registry: ModuleRegistry = makeRegistry();
const module = registry.loadBytes("crashes", linkCrashes(variant));
const run = module.getFunction("call", CALL)!;

function refuse(value: number): number {
  throw new RangeError(`refused ${value}`);
}
/** Has native code call back; the callback with 0 calls `work`. */
function calling(work: (value: number) => number): NativeCallback {
  return registry.callback({ ...NUMBER, callback: (value: number) => value === 0 ? work(value) : value });
}
function callFast(callback: NativeCallback): void {
  for (let round = 1; round < 20; round++) run(callback.pointer, round);
  run(callback.pointer, 0);
}
/** The stack and the causes of what `work` throws. */
function shown(work: () => void): void {
  try {
    work();
    console.log("nothing was thrown");
  } catch (error) {
    const { stack, cause } = error as Error;
    console.log(stack);
    console.log(`cause: ${cause instanceof Error ? cause.message : cause}`);
    console.log(Deno.inspect(error));
  }
}

const cases: Record<string, () => void> = {
  uncaught() {
    using callback = calling(refuse);
    run(callback.pointer, 0);
  },
  caught() {
    using callback = calling(refuse);
    shown(() => run(callback.pointer, 0));
  },
  fast() {
    using callback = calling(refuse);
    shown(() => callFast(callback));
  },
  nested() {
    using inner = calling(refuse);
    using outer = calling(() => run(inner.pointer, 0));
    shown(() => run(outer.pointer, 0));
  },
  recursive() {
    const callback = calling((): number => depth++ < 3 ? run(callback.pointer, 0) : refuse(depth));
    let depth = 0;
    shown(() => run(callback.pointer, 0));
    callback[Symbol.dispose]();
  },
  cause() {
    using callback = calling(() => {
      throw new Error("outer", { cause: "the user's" });
    });
    shown(() => run(callback.pointer, 0));
  },
  frozen() {
    using callback = calling(() => {
      throw Object.freeze(new Error("frozen"));
    });
    shown(() => run(callback.pointer, 0));
  },
  word() {
    using callback = calling(() => {
      throw "a word";
    });
    try {
      run(callback.pointer, 0);
    } catch (error) {
      console.log(error);
    }
  },
  deep() {
    const deeper = (left: number): number => left === 0 ? refuse(0) : deeper(left - 1) + 1;
    using callback = calling(() => deeper(30));
    shown(() => run(callback.pointer, 0));
  },
  direct() {
    // Called by JavaScript, by its address: no native code of a module is in between.
    using callback = calling(refuse);
    const call = new Deno.UnsafeFnPointer(callback.pointer as Deno.PointerObject<never>, NUMBER);
    shown(() => call.call(0));
  },
  many() {
    const all = Array.from({ length: 600 }, () => calling(refuse));
    for (const [index, callback] of all.entries()) if (index % 2 === 0) callback[Symbol.dispose]();
    shown(() => run(all[599].pointer, 0));
    for (const callback of all) callback[Symbol.dispose]();
    console.log("disposed");
  },
};
cases[Deno.args[0]]();
