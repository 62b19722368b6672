/** Versions that are replaced and rolled back. `SMF_STRESS=1` runs 400 rounds. */
import { assert, assertEquals } from "@std/assert";
import { runChild } from "../support/modules.ts";
import { GC_FLAGS } from "../support/process_state.ts";
import { stress } from "../support/testing.ts";
import type { Outcome } from "./versions_child.ts";

Deno.test("reloads and rollbacks, also to versions that lack exports in use, leak nothing per round", async () => {
  const rounds = Math.max(10, stress(400));
  const child = await runChild(new URL("./versions_child.ts", import.meta.url), {
    v8Flags: GC_FLAGS,
    args: [String(rounds)],
  });
  assertEquals([child.code, child.signal], [0, null], child.stderr);
  const [first, last] = JSON.parse(child.stdout) as Outcome;
  assertEquals(last.live, first.live, child.stdout);
  assert(last.mappings <= first.mappings + 2, child.stdout);
  assert(last.used - first.used < 1.5 * 1024 * 1024, child.stdout);
});
