/** Modules that are closed while Workers call them. `SMF_STRESS=1` closes 1,000. */
import { assertEquals } from "@std/assert";
import { stress } from "../support/testing.ts";
import { runChild } from "../support/modules.ts";

Deno.test("modules are loaded, shared and closed while two Workers call, and the process ends normally", async () => {
  const rounds = stress(1000);
  const child = await runChild(new URL("./workers_child.ts", import.meta.url), { args: [String(rounds)] });
  assertEquals([child.code, child.signal, child.stderr], [0, null, ""]);
  assertEquals(JSON.parse(child.stdout), { rounds, unexpected: 0, called: true });
});
