// Memory of running code stays, whatever the program has changed of the language.
import { assertEquals } from "@std/assert";
import { nativeTest, runChild } from "../support/modules.ts";

const CHANGES = [
  "none",
  "captureStackTrace does nothing",
  "captureStackTrace is missing",
  "stackTraceLimit is 0 and read-only",
  "stackTraceLimit is an accessor",
  "prepareStackTrace is read-only",
  "prepareStackTrace is an accessor",
  "Error is frozen",
  "Error is not extensible",
  "Error is another class",
  "methods of arrays and strings lie",
  "descriptors have another prototype",
  "timers run at once",
  "promises call back at once",
];

const CHILD = new URL("./changed_globals_child.ts", import.meta.url);

for (const change of CHANGES) {
  for (const callPath of ["fast", "pointer"]) {
    nativeTest(`a close inside a ${callPath} call frees nothing that runs: ${change}`, async () => {
      const child = await runChild(CHILD, { args: [change, callPath] });
      assertEquals([child.code, child.stderr], [0, ""]);
      assertEquals(JSON.parse(child.stdout), {
        result: 5,
        during: 2,
        afterwards: 1,
        busy: "Busy",
        inFlight: 1,
      });
    });
  }
}
