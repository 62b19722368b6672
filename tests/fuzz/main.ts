/**
 * `deno task fuzz`: tries damaged modules, objects and archives for as long as
 * it is told.
 *
 * ```text
 * --for 4m          how long: seconds, or with s, m, h; default 1m
 * --mutants N       how many in place of how long: the same ones on every machine
 * --seed 7          what a new session starts from; default 1
 * --resume          goes on with the session in the folder
 * --state FOLDER    where everything is kept; default .fuzz
 * --exhaustive      first every byte, length and swap of the small seeds
 * --share 0.1       how much of that, evenly spread; default all
 * --try FILE        tries one file, and shows what became of it
 * ```
 */
import { parseArgs } from "@std/cli";
import { exhaustiveCases, type Target, tryMutant } from "./cases.ts";
import { Session } from "./session.ts";
import { Bench } from "./trial.ts";

const BATCH = 20_000;
const UNITS: Record<string, number> = { "": 1000, s: 1000, m: 60_000, h: 3_600_000 };

function milliseconds(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`Cannot fuzz for '${text}': not a time like 90s, 4m or 1h`);
  return Number(number) * UNITS[unit];
}

async function fuzz(args: string[]): Promise<number> {
  const options = parseArgs(args, {
    string: ["for", "mutants", "seed", "state", "share", "try"],
    boolean: ["resume", "exhaustive"],
  });
  if (options.try !== undefined) {
    using bench = new Bench();
    const target: Target = options.try.includes(".object.") ? "object" : "module";
    console.log(tryMutant({ target, bytes: Deno.readFileSync(options.try) }, bench));
    return 0;
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
  // Batches are short enough for the clock, and long enough for a process each.
  for (let tried = 0; tried < most && performance.now() < end; tried += BATCH) {
    await batch(() => session.random(BATCH));
  }
  console.log(`fuzzed: ${session.summary()}`);
  return session.state.findings.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exitCode = await fuzz(Deno.args);
