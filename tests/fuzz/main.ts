/**
 * `deno task fuzz`: tries damaged modules, objects and archives for a given time.
 *
 * ```text
 * --for 4m          how long: seconds, or with s, m, h; default 1m
 * --mutants N       how many, instead of how long: the same ones on every machine
 * --seed 7          the seed of a new session; default 1
 * --resume          resumes the session in the folder
 * --state FOLDER    the folder of state, corpus and findings; default .fuzz
 * --exhaustive      tries every byte, length and swap of the small seeds first
 * --share 0.1       the share of those to try, evenly spread; default all
 * --try FILE        tries one file, and prints the outcome
 * --programs KIND   generates programs instead, for gcc and clang, and reloads them: identity, abi
 * --count 100       how many programs, from the seed on; default 50
 * ```
 */
import { parseArgs } from "@std/cli";
import { exhaustiveCases, type Target, tryMutant } from "./cases.ts";
import { fuzzPrograms } from "./programs.ts";
import { Session } from "./session.ts";
import { Harness } from "./harness.ts";

const BATCH = 20_000;
const UNITS: Record<string, number> = { "": 1000, s: 1000, m: 60_000, h: 3_600_000 };

function milliseconds(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`Cannot fuzz for '${text}': not a time like 90s, 4m or 1h`);
  return Number(number) * UNITS[unit];
}

async function fuzz(args: string[]): Promise<number> {
  const options = parseArgs(args, {
    string: ["for", "mutants", "seed", "state", "share", "try", "programs", "count"],
    boolean: ["resume", "exhaustive"],
  });
  if (options.try !== undefined) {
    using harness = new Harness();
    const target: Target = options.try.includes(".object.") ? "object" : "module";
    console.log(tryMutant({ target, bytes: Deno.readFileSync(options.try) }, harness));
    return 0;
  }
  if (options.programs !== undefined) {
    return await fuzzPrograms(options.programs, Number(options.seed ?? 1), Number(options.count ?? 50));
  }
  const most = Number(options.mutants ?? Infinity);
  const end = options.mutants === undefined
    ? performance.now() + milliseconds(options.for ?? "1m")
    : Infinity;
  const seed = options.resume ? undefined : Number(options.seed ?? 1);
  const session = new Session(options.state ?? ".fuzz", seed, console.log);
  const batch = async (work: () => Promise<unknown>): Promise<void> => {
    await work();
    console.log(session.summary());
  };
  if (options.exhaustive) {
    const { count } = exhaustiveCases();
    const step = Math.max(1, Math.round(1 / Number(options.share ?? 1)));
    for (let more = true; more;) {
      await batch(async () => more = await session.exhaustive(BATCH, step, count));
    }
  }
  // Batches are short enough to keep to the time, and long enough to be worth a process each.
  for (let tried = 0; tried < most && performance.now() < end; tried += BATCH) {
    await batch(() => session.random(BATCH));
  }
  console.log(`fuzzed: ${session.summary()}`);
  return session.state.findings.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exitCode = await fuzz(Deno.args);
