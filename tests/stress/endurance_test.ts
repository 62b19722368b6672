/**
 * Very many lives, and what is left of them. `SMF_STRESS` scales the counts,
 * here by its square: 1 runs all of it, which takes half an hour.
 */
import { assert, assertEquals } from "@std/assert";
import { nativeTest, runChild } from "../support/modules.ts";
import { stress } from "../support/testing.ts";
import type { Growth } from "./endurance_child.ts";

const MEBIBYTE = 2 ** 20;

/** By how much the resident memory may grow after a warm-up: a part of the lives warms up less. */
const LIMIT = (stress(100) === 100 ? 2 : 6) * MEBIBYTE;

async function grow(life: string, count: number): Promise<Growth> {
  const warmUp = Math.min(5000, Math.max(1000, count));
  const child = await runChild(new URL("./endurance_child.ts", import.meta.url), {
    v8Flags: "--expose-gc",
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
    // V8's own heap may take or give back a few.
    assert(Math.abs(growth.mappings) < 24, JSON.stringify(growth));
    if (growth.resident <= LIMIT) return;
    // What libraries cost that Deno opens and closes by itself is not ours.
    const control = await grow("control", count);
    assert(growth.resident <= control.resident + LIMIT, JSON.stringify({ growth, control }));
  });
}
