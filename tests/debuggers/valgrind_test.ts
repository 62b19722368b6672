// valgrind over a program that calls a module, and reloads it.
import { assertMatch } from "@std/assert";
import { build, debuggerTest, SOURCE, valgrind } from "./support.ts";

debuggerTest("valgrind", "a module runs, and so does its next version, without an error", async (folder) => {
  await build(folder, { name: "second", source: SOURCE.replace("n * 3", "n * 5") });
  await build(folder);
  const text = await valgrind(folder, "reload", "deep.smf");
  assertMatch(text, /^result 19\nresult 31\n/m);
  assertMatch(text, /ERROR SUMMARY: 0 errors/);
});
