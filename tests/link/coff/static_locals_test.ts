// Static objects of functions in objects of Microsoft's C++, which several threads may come to at once.
import { assertEquals } from "@std/assert";
import { linkObjects, ModuleRegistry, parseSmf } from "../../../mod.ts";
import { describedFunctions } from "../../support/described_functions.ts";
import { TemporaryDirectory } from "../../support/testing.ts";

const OBJECT = new URL("../../../fixtures/coff/once_msvc.obj", import.meta.url);
const IS_WINDOWS = Deno.build.os === "windows";

function linked() {
  const needed = ["vcruntime140.dll", "ucrtbase.dll"];
  return linkObjects([{ name: "once_msvc.obj", bytes: Deno.readFileSync(OBJECT) }], { needed });
}

Deno.test("the linker has the functions that make static objects once, and describes them for unwinders", () => {
  const { bytes, map } = linked();
  assertEquals(map.imports.map(({ name }) => name).sort(), [
    "AcquireSRWLockExclusive",
    "RaiseException",
    "ReleaseSRWLockExclusive",
    "Sleep",
    "SleepConditionVariableSRW",
    "WakeAllConditionVariable",
    "__CxxFrameHandler3",
    "_execute_onexit_table",
    "_initialize_onexit_table",
    "_register_onexit_function",
  ]);
  const file = parseSmf(bytes);
  assertEquals(file.hostLibraries().includes("kernel32.dll"), true);
  const functions = ["_Init_thread_header", "_Init_thread_footer", "_Init_thread_abort"];
  assertEquals(describedFunctions(file, functions), functions);
});

Deno.test({
  name: `static objects are made once by threads, and anew if it fails${
    IS_WINDOWS ? "" : " (SKIPPED: runs on Windows)"
  }`,
  ignore: !IS_WINDOWS,
  async fn() {
    using directory = new TemporaryDirectory();
    using registry = new ModuleRegistry();
    const module = registry.load(directory.file("once.smf", linked().bytes));
    const value = { parameters: ["i32"], result: "i32" } as const;
    const { symbols } = module.bind({
      slow: { ...value, nonblocking: true },
      failing: value,
      of_template: { parameters: [], result: "i32" },
      count_made: { parameters: [], result: "i32" },
      watch_end: { parameters: ["pointer"], result: "void" },
    });
    const cell = new Int32Array([-1]);
    symbols.watch_end(Deno.UnsafePointer.of(cell));
    const seen = new Set(await Promise.all([1, 2, 3, 4, 5, 6].map((value) => symbols.slow(value))));
    assertEquals([seen.size, symbols.count_made()], [1, 1]);
    assertEquals([4, 5, 6, 7].map((value) => symbols.failing(value)), [-4, -5, 6, 6]);
    assertEquals([symbols.of_template(), symbols.of_template(), symbols.count_made()], [9, 9, 2]);
    assertEquals(await symbols.slow(8), [...seen][0]);
    module.close();
    assertEquals(cell[0], 2, "both are destroyed when the module ends");
  },
});
