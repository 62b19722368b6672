/** Tests of the native functions in the stacks of errors that callbacks throw. */
import { hasCallbackEntries } from "../../src/load/runtime/callers.ts";

const HAS_ENTRIES = hasCallbackEntries();

/** Registers a test that needs entries in front of callbacks. */
export function callersTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({
    name: HAS_ENTRIES ? name : `${name} (SKIPPED: needs Linux, or Windows on x86-64)`,
    ignore: !HAS_ENTRIES,
    fn,
  });
}

/** Registers a test of texts alone: on other systems they are the same, and a process takes long in an emulator. */
export function textTest(name: string, fn: () => Promise<void>): void {
  if (Deno.build.arch === "x86_64" && Deno.build.os === "linux") return callersTest(name, fn);
  Deno.test.ignore(`${name} (SKIPPED: the same everywhere, tested on Linux x86-64)`, () => {});
}
