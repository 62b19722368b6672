/**
 * Many life cycles in succession do not make the process grow.
 *
 * `SMF_STRESS` is the share of the rounds to run: 1 for all.
 */
import { assert, assertEquals } from "@std/assert";
import { nativeTest, runChild } from "../support/modules.ts";
import { GC_FLAGS } from "../support/process_state.ts";
import { stress } from "../support/testing.ts";

interface Growth {
  readonly maps: number;
  readonly descriptors: number;
  readonly rss: number;
  readonly stubs: number;
}

async function grow(scenario: string, rounds: number): Promise<Growth> {
  const result = await runChild(new URL("./lifecycle_child.ts", import.meta.url), {
    v8Flags: GC_FLAGS,
    args: [scenario, String(rounds)],
  });
  assertEquals([result.code, result.signal, result.stderr], [0, null, ""]);
  return JSON.parse(result.stdout);
}

for (const scenario of ["loader", "registry", "nonblocking", "garbage", "reload", "share"]) {
  const rounds = stress(10_000);
  nativeTest(
    `${rounds} × load, bind, call, close (${scenario}) leave mappings, descriptors and memory flat`,
    async () => {
      const growth = await grow(scenario, rounds);
      assertEquals([growth.stubs, growth.descriptors], [0, 0], JSON.stringify(growth));
      // V8's heap may map or unmap a few.
      assert(growth.maps < 16, JSON.stringify(growth));
      const perRound = growth.rss / rounds;
      assert(growth.rss < 12 * 2 ** 20 || perRound < 512, `${growth.rss} bytes in ${rounds} rounds`);
    },
  );
}

nativeTest(`${stress(1_000_000)} calls after close all throw, and the process ends normally`, async () => {
  const count = stress(1_000_000);
  const result = await runChild(new URL("./closed_child.ts", import.meta.url), { args: [String(count)] });
  assertEquals([result.code, result.signal, result.stderr], [0, null, ""]);
  const { thrown, kinds } = JSON.parse(result.stdout);
  assertEquals([thrown, kinds], [count * 3, ["Closed"]]);
});
