/**
 * Modules with thread-local variables and destructors, while threads come and
 * go: nothing stays behind, and nothing runs in what has gone.
 *
 * `SMF_STRESS` says which part of the full number of rounds to run: 1 for all.
 */
import { assert, assertEquals } from "@std/assert";
import { runChild } from "../support/modules.ts";
import { linuxTest } from "../support/threads.ts";
import { stress } from "../support/testing.ts";

const rounds = stress(1000);

linuxTest(`${rounds} × load, register, unload, while threads come and go, leave nothing behind`, async () => {
  const result = await runChild(new URL("./threads_child.ts", import.meta.url), {
    v8Flags: "--expose-gc",
    args: [String(rounds)],
  });
  assertEquals([result.code, result.signal, result.stderr], [0, null, ""]);
  const growth = JSON.parse(result.stdout);
  // V8's heap, and a Worker that has not quite gone, have mappings and descriptors too.
  assert(growth.maps < 60 && growth.descriptors < 16, result.stdout);
  assert(growth.stubs <= 0, result.stdout);
  assert(growth.rss < 64 * 2 ** 20 || growth.rss / rounds < 8192, result.stdout);
});
