// Runs a small share of the fuzzing; `deno task fuzz` does more.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { stress, TemporaryDirectory } from "../support/testing.ts";
import { exhaustiveCases, RandomCases } from "./cases.ts";
import { readCorpus } from "./corpus.ts";
import { Session } from "./session.ts";

const silent = (): void => {};

function assertClean({ state }: Session): void {
  assertEquals(state.findings, []);
}

Deno.test("mutants load as the format says or end in a LoadError, and leave nothing behind", async () => {
  using directory = new TemporaryDirectory();
  const session = new Session(directory.path, 1, silent);
  const half = stress(20_000);
  await session.random(half);
  await session.random(half);
  assertClean(session);
  const { totals, features } = session.state;
  assertEquals(totals.cases, 2 * half);
  // Some mutants must load and some must be refused.
  assert(totals.loaded > half / 10 && totals.loaded < half, `${totals.loaded} loaded`);
  assert(totals.judged > totals.loaded, `${totals.judged} relocations computed twice`);
  assert(Object.keys(features).length > 15, `${Object.keys(features).length} features`);
  assertEquals(readCorpus(join(directory.path, "corpus")).length > 10, true);
});

Deno.test("so do files with any byte changed, cut anywhere, or with two records swapped", async () => {
  using directory = new TemporaryDirectory();
  const session = new Session(directory.path, 1, silent);
  const { count } = exhaustiveCases();
  const share = stress(50_000);
  // `deno task fuzz --exhaustive` tries all of them.
  const more = await session.exhaustive(share, Math.ceil(count / share), count);
  assertClean(session);
  assertEquals(more, false);
  assert(session.state.totals.loaded > 0);
});

Deno.test("a session resumes where it stopped", async () => {
  using directory = new TemporaryDirectory();
  const first = new Session(directory.path, 5, silent);
  await first.random(20);
  const second = new Session(directory.path, undefined, silent);
  await second.random(20);
  assertEquals([second.state.seed, second.state.next, second.state.totals.cases], [5, 40, 40]);
  assertMatch(second.summary(), /^seed 5: 40 mutants, /);
});

Deno.test("a mutant is determined by its number and the seed", () => {
  const numbers = [0, 1, 99, 12_345];
  const made = [1, 1, 2].map((seed) => {
    const cases = new RandomCases(seed, []);
    return numbers.map((index) => cases.make(index));
  });
  assertEquals(made[0], made[1]);
  assert(made[0].some(({ bytes }, i) => bytes.join() !== made[2][i].bytes.join()));
});

Deno.test("a child that crashes or hangs is a finding, with the file that it tried", async () => {
  using directory = new TemporaryDirectory();
  const child = fromFileUrl(new URL("bad_child.ts", import.meta.url));
  for (const [seed, what, patience] of [[1, /ended with/, 120_000], [2, /was silent/, 4000]] as const) {
    const session = new Session(directory.path, seed, silent, { child, patience });
    await session.random(3);
    const [finding] = session.state.findings;
    assertMatch(finding, what);
    const file = Deno.readFileSync(join(directory.path, "findings", "0000.module.bin"));
    assertEquals([...file], [seed]);
  }
});
