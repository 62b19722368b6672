// What a program drops without disposing of it is freed by ordinary garbage collections.
import { assertEquals } from "@std/assert";
import { nativeTest, runChild } from "../support/modules.ts";

const SCENARIOS = [
  "registries",
  "registries with functions in use",
  "registries with importers and providers",
  "registries with modules that import from each other",
  "registries with modules that import from each other, reloaded",
  "registries with variables that are kept",
  "registries with versions that are kept",
  "registries with live libraries",
  "registries with callbacks",
  "members of circles",
  "modules",
  "live libraries",
  "handles",
];

for (const scenario of SCENARIOS) {
  nativeTest(`dropped ${scenario} are collected`, async () => {
    const child = await runChild(new URL("./dropped_child.ts", import.meta.url), {
      v8Flags: "--expose-gc",
      args: [scenario],
    });
    assertEquals([child.code, child.stderr], [0, ""]);
    assertEquals(JSON.parse(child.stdout), { held: true, left: 0 });
  });
}
