// Source-level debugging of modules on AArch64, by gdb on the stub of the emulator that runs Deno: what it prints is what
// it prints of a shared library of the same source, but for addresses.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { lineOf } from "../support/debug_sources.ts";
import { testWithCompilers } from "../support/compilers.ts";
import {
  AARCH64_LANE,
  build,
  buildVersions,
  GDB_FOR_AARCH64,
  gdbOnStub,
  ORDERS_IN_DEEP,
  SOURCE,
  sourceLines,
  STOP_IN_DEEP,
  valuesIn,
} from "./support.ts";

const COMPILER = "aarch64-linux-gnu-gcc";

function stubTest(name: string, work: (folder: string) => Promise<void>): void {
  const missing = [
    ...AARCH64_LANE === undefined ? ["a script that starts Deno for AArch64 (LANE_AARCH64)"] : [],
    ...GDB_FOR_AARCH64 === undefined ? ["a gdb for AArch64 (gdb-multiarch)"] : [],
  ];
  if (missing.length === 0) return testWithCompilers([COMPILER], `gdb on a stub: ${name}`, work);
  Deno.test.ignore(`gdb on a stub: ${name} (SKIPPED: needs ${missing.join(" and ")})`, () => {});
}

stubTest(
  "a breakpoint that is set before the module is loaded stops in it, as in a shared library",
  async (folder) => {
    await build(folder, { compiler: COMPILER });
    const orders = [`break ${STOP_IN_DEEP}`, "continue", ...ORDERS_IN_DEEP, "delete", "continue"];
    const module = await gdbOnStub(folder, orders, "module", "deep.smf");
    const library = await gdbOnStub(folder, orders, "library", "deep.so");
    const expected = sourceLines(library.text);
    assert(expected.length >= 5, library.text + library.output);
    assertEquals(sourceLines(module.text), expected, module.text + module.output);
    assertEquals(valuesIn(module.text), valuesIn(library.text));
    assertEquals(valuesIn(module.text).length, 4, module.text);
    assertMatch(module.output, /^result 19$/m);
  },
);

stubTest("after a reload breakpoints are in the new code", async (folder) => {
  await buildVersions(folder, { compiler: COMPILER });
  const { text, output } = await gdbOnStub(
    folder,
    ["break outer", "continue", "bt 1", "continue", "bt 1", "print calls", "delete", "continue"],
    "reload",
    "deep.smf",
  );
  const stops = [...text.matchAll(/^#0 {2}outer \(n=3\) at deep\.c:(\d+)$/gm)].map(([, line]) =>
    Number(line)
  );
  const line = lineOf("calls++", SOURCE);
  assertEquals(stops, [line, line + 3], text + output);
  assertMatch(text, /^\$1 = 1$/m);
  assertMatch(output, /^result 19\nresult 31$/m);
});
