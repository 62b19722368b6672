/**
 * Reloads while several threads call. `SMF_STRESS=1` runs 10⁷ calls and 1,000
 * reloads.
 */
import { assert, assertEquals } from "@std/assert";
import { runChild } from "../support/modules.ts";
import { GC_FLAGS } from "../support/process_state.ts";
import { NO_PROC, stress } from "../support/testing.ts";
import type { Outcome } from "./reload_child.ts";

const MEBIBYTE = 1024 * 1024;

Deno.test("main thread and two Workers call while versions change: no failed call, no wrong answer", async () => {
  const [calls, reloads] = [stress(10_000_000), stress(1000)];
  const child = await runChild(new URL("./reload_child.ts", import.meta.url), {
    v8Flags: GC_FLAGS,
    args: [String(calls), String(reloads)],
  });
  assertEquals([child.code, child.signal], [0, null], child.stderr);
  const { tallies, samples, isOpen } = JSON.parse(child.stdout) as Outcome;
  assertEquals(tallies.length, 3);
  for (const { wrong, backwards, failed, calls } of tallies) {
    assertEquals([failed, wrong, backwards], ["", 0, 0]);
    assert(calls > 0);
  }
  assertEquals(tallies[0].last, reloads + 1);
  assertEquals(isOpen, false);
  assert(tallies.reduce((sum, { calls }) => sum + calls, 0) > calls);
  // The second half shows no growth.
  const half = samples.slice(samples.length >> 1);
  const [first, last] = [half[0], half.at(-1)!];
  if (!NO_PROC) assert(last.mappings - first.mappings < 24, JSON.stringify(samples));
  assert(last.resident - first.resident < 16 * MEBIBYTE, JSON.stringify(samples));
});
