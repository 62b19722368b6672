/**
 * Reloads of a large hot module, whose code goes as versions follow each other. `SMF_STRESS=1` runs 1,000 of them.
 */
import { assert, assertEquals } from "@std/assert";
import { compiledVersion } from "../support/compiled_versions.ts";
import { testOfThreads } from "../support/compilers.ts";
import { runChild } from "../support/modules.ts";
import { GC_FLAGS } from "../support/process_state.ts";
import { stress } from "../support/testing.ts";
import type { Outcome } from "./hot_reloads_child.ts";

const reloads = stress(1000);

/** 10,000 functions, and a variable that stays. */
function source(version: number): string {
  const functions = Array.from(
    { length: 10_000 },
    (_, index) => `int g${index}(int x) { return x + ${index + version}; }`,
  );
  return `int calls; int count(void) { return ++calls; }\n${functions.join("\n")}\n`;
}

testOfThreads(
  ["gcc"],
  `over ${reloads} reloads of a hot module with 10,000 functions code levels off, and no call is lost or wrong`,
  async (folder) => {
    const paths = [];
    for (const version of [0, 1, 2]) {
      const bytes = await compiledVersion(folder, source(version), {
        flags: ["-O1", "-fdata-sections"],
        link: { hot: true },
      });
      paths.push(`${folder}/${version}.smf`);
      Deno.writeFileSync(paths[version], bytes);
    }
    const child = await runChild(new URL("./hot_reloads_child.ts", import.meta.url), {
      v8Flags: GC_FLAGS,
      args: [String(reloads), ...paths],
    });
    assertEquals([child.code, child.signal, child.stderr], [0, null, ""]);
    const samples: Outcome = JSON.parse(child.stdout);
    // The version that serves and one that is kept for a rollback; one may wait because a thread ran just then.
    const [first, last] = [samples[0], samples.at(-1)!];
    for (const { one, code, executable, rest, reloads } of samples) {
      assert(one > 50_000 && code >= one && code < 3.5 * one, child.stdout);
      // V8 has executable memory of its own in ranges of such sizes, so only growth counts.
      assert(executable < first.executable + 2 * one, child.stdout);
      // Everything else stays, and the numbers say so.
      assert(rest / (reloads + 1) > 0.9 * first.rest / (first.reloads + 1), child.stdout);
    }
    const count = last.reloads - first.reloads;
    assert(last.reported - first.reported >= last.rest - first.rest, child.stdout);
    assert(
      last.resident - first.resident < 2 * (last.reported - first.reported) + 256 * 1024 * count,
      child.stdout,
    );
  },
);
