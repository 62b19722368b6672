/**
 * Many life cycles, and the resources that remain after them. The square of
 * `SMF_STRESS` scales the counts: 1 runs all of them, which takes half an hour.
 */
import { assert, assertEquals } from "@std/assert";
import { nativeTest, runChild } from "../support/modules.ts";
import { GC_FLAGS } from "../support/process_state.ts";
import { stress } from "../support/testing.ts";
import type { Growth } from "./endurance_child.ts";

const MEBIBYTE = 2 ** 20;

/** The allowed growth of resident memory after the warm-up; larger for reduced counts, which warm up less. */
const LIMIT = (stress(100) === 100 ? 4 : 6) * MEBIBYTE;

async function grow(life: string, count: number): Promise<Growth> {
  const warmUp = Math.min(5000, Math.max(1000, count));
  const child = await runChild(new URL("./endurance_child.ts", import.meta.url), {
    v8Flags: GC_FLAGS,
    args: [life, String(warmUp), String(count)],
  });
  assertEquals([child.code, child.signal, child.stderr], [0, null, ""]);
  return JSON.parse(child.stdout);
}

for (
  const [life, full, what] of [
    ["cycles", 1_000_000, "loads, calls and unloads"],
    ["reloads", 100_000, "reloads with different code"],
  ] as const
) {
  const count = stress(stress(full));
  nativeTest(`${count} ${what} leave no mapping, no descriptor and no memory`, async () => {
    const growth = await grow(life, count);
    assertEquals([growth.owned, growth.stubs, growth.descriptors], [0, 0, 0], JSON.stringify(growth));
    // V8's heap may map or unmap a few.
    assert(Math.abs(growth.mappings) < 24, JSON.stringify(growth));
    if (growth.resident <= LIMIT) return;
    // Memory that Deno itself retains for opened and closed libraries does not count.
    const control = await grow("control", count);
    assert(growth.resident <= control.resident + LIMIT, JSON.stringify({ growth, control }));
  });
}
