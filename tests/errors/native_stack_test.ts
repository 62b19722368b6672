// Native frames in the stack of an error: where they go, and what stays as it is.
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { CrashFrame } from "../../src/errors/crash.ts";
import { addNativeFrames } from "../../src/errors/native_stack.ts";

const frame = (name: string | undefined, rest: Partial<CrashFrame> = {}): CrashFrame => ({
  function: name,
  offset: 16,
  module: "plugin.smf",
  version: 2,
  file: undefined,
  line: undefined,
  address: 0x1234n,
  times: 1,
  ...rest,
});
const nowhere = () => undefined;
/** The stack and the cause of an error after frames were added in a function that JavaScript has called. */
function added(
  error: Error,
  frames: readonly CrashFrame[],
  locate = nowhere as Parameters<typeof addNativeFrames>[2],
) {
  const outer = () => addNativeFrames(error, frames, locate, outer);
  outer();
  return { stack: error.stack!, cause: error.cause };
}

Deno.test("a frame says function, distance, place and owner", () => {
  const { stack } = added(new Error("no"), [
    frame("_ZN3foo3barEi"),
    frame("sorted", { file: "/home/me/plugin.c", line: 3 }),
    frame(undefined),
    frame("qsort_r", { module: "libc.so.6", version: undefined }),
    frame("again", { times: 2 }),
    frame("again", { times: 7 }),
  ]);
  assertStringIncludes(
    stack,
    `
    at foo::bar(int)+0x10 in module 'plugin.smf', version 2
    at sorted+0x10 (/home/me/plugin.c:3) in module 'plugin.smf', version 2
    at 0x10 of module 'plugin.smf', version 2
    at qsort_r+0x10 in libc.so.6
    at again+0x10 in module 'plugin.smf', version 2
    the same 1 time more
    at again+0x10 in module 'plugin.smf', version 2
    the same 6 times more
`.trimEnd(),
  );
});

Deno.test("the source is that of the call, with the functions that are inlined there", () => {
  const asked: bigint[] = [];
  const { stack } = added(new Error("no"), [frame("outer")], (address) => {
    asked.push(address);
    return [
      { function: "inner", file: "a.h", line: 5 },
      { function: "outer", file: "a.c", line: undefined },
    ];
  });
  assertEquals(asked, [0x1233n]);
  assertStringIncludes(
    stack,
    "\n    at inner (a.h:5), inlined\n    at outer+0x10 (a.c) in module 'plugin.smf', version 2",
  );
});

Deno.test("a message that looks like frames stays, and so does a stack that is not V8's text", () => {
  const looks = new Error("first\n    at second");
  assertStringIncludes(added(looks, [frame("f")]).stack, "Error: first\n    at second\n");
  const other = new Error("no");
  Object.defineProperty(other, "stack", { value: 5, writable: true, configurable: true });
  assertEquals(added(other, [frame("f")]).stack as unknown, 5);
  assertStringIncludes((other.cause as Error).message, "    at f+0x10");
});

Deno.test("without frames, and where something else was thrown, nothing changes", () => {
  const error = new Error("no"), before = error.stack;
  assertEquals(added(error, []), { stack: before!, cause: undefined });
  addNativeFrames("a word", [frame("f")], nowhere, added);
  addNativeFrames(undefined, [frame("f")], nowhere, added);
});

Deno.test("the cause is an error without frames of its own, and says less where the stack is shown", () => {
  const { cause } = added(new Error("no"), [frame("f")]);
  const { name, message, stack } = cause as Error;
  assertEquals(cause instanceof Error, true);
  assertEquals(name, "NativeStack");
  assertEquals(message.split("\n"), [
    "the callback was called by native code",
    "    at f+0x10 in module 'plugin.smf', version 2",
  ]);
  assertEquals(stack, `NativeStack: ${message}`);
  assertEquals(Deno.inspect(cause), "[NativeStack: the native frames in the stack]");
});

/** The frames of an error of functions so deep, after frames were added where nothing has called the callback. */
async function addedInTask(depth: number): Promise<string[]> {
  const { promise, resolve } = Promise.withResolvers<string[]>();
  const deeper = (left: number): Error => left === 0 ? new Error("no") : deeper(left - 1);
  const outer = () => {
    const error = deeper(depth);
    addNativeFrames(error, [frame("start")], nowhere, outer);
    resolve(error.stack!.split("\n").slice(1));
  };
  // A task without frames of whoever has made it.
  Promise.resolve().then(outer);
  return await promise;
}

Deno.test("where no JavaScript has called, native frames come last, without the callback's wrapper", async () => {
  const NATIVE = "    at start+0x10 in module 'plugin.smf', version 2";
  const stack = await addedInTask(2);
  assertEquals(stack.map((line) => /at (\w+)/.exec(line)![1]), ["deeper", "deeper", "deeper", "start"]);
  assertEquals(stack.at(-1), NATIVE);
  // V8 keeps ten frames.
  for (const depth of [7, 8, 9, 20]) {
    const frames = await addedInTask(depth);
    assertEquals(frames.length, Math.min(depth + 1, 10) + 1);
    assertEquals(frames.at(-1), NATIVE);
  }
});
