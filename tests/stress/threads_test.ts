/**
 * Modules with thread-local variables and destructors, while threads start and
 * end: nothing leaks, and no code runs in freed memory.
 *
 * `SMF_STRESS` is the share of the rounds to run: 1 for all.
 */
import { assert, assertEquals } from "@std/assert";
import { runChild } from "../support/modules.ts";
import { linuxTest } from "../support/threads.ts";
import { GC_FLAGS } from "../support/process_state.ts";
import { stress } from "../support/testing.ts";

const rounds = stress(1000);

linuxTest(
  `${rounds} × load, register, unload, while threads start and end, leave nothing behind`,
  async () => {
    const result = await runChild(new URL("./threads_child.ts", import.meta.url), {
      v8Flags: GC_FLAGS,
      args: [String(rounds)],
    });
    assertEquals([result.code, result.signal, result.stderr], [0, null, ""]);
    const growth = JSON.parse(result.stdout);
    // V8's heap, and a Worker that is still ending, have mappings and descriptors, too.
    assert(growth.maps < 30 && growth.descriptors < 16, result.stdout);
    assert(growth.stubs <= 0, result.stdout);
    assert(growth.rss < 32 * 2 ** 20 || growth.rss / rounds < 8192, result.stdout);
  },
);
