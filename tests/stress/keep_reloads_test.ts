/**
 * Reloads of a large module whose variables stay where they are. `SMF_STRESS=1` runs 1,000 of them.
 */
import { assert, assertEquals } from "@std/assert";
import { nativeTest, runChild } from "../support/modules.ts";
import { GC_FLAGS } from "../support/process_state.ts";
import { NO_PROC, stress } from "../support/testing.ts";
import type { Outcome } from "./keep_reloads_child.ts";

const reloads = stress(1000);

nativeTest(
  `${reloads} reloads of 10,000 functions keep 2,000 variables, and say what memory they add`,
  async () => {
    const child = await runChild(new URL("./keep_reloads_child.ts", import.meta.url), {
      v8Flags: GC_FLAGS,
      args: [String(reloads)],
    });
    assertEquals([child.code, child.signal, child.stderr], [0, null, ""]);
    const { samples, lost } = JSON.parse(child.stdout) as Outcome;
    assertEquals(lost, 0);
    const [first, last] = [samples[0], samples.at(-1)!];
    const count = last.reloads - first.reloads;
    // The engine's own objects of a version come on top, and what reports of crashes find out about symbols.
    const added = (last.resident - first.resident) / count,
      reported = (last.reported - first.reported) / count;
    assert(added < 1.5 * reported + 256 * 1024, JSON.stringify(samples));
    if (!NO_PROC) assert(last.mappings - first.mappings <= 8 * count + 24, JSON.stringify(samples));
  },
);
