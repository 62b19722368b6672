/**
 * Runs the test scripts of mold with `smf ld` as the linker, and what they link with this loader; says how many pass,
 * and why the others do not.
 *
 *     deno task peers [--jobs N] [--from FOLDER] [NAME...]
 *
 * `--from` names mold's sources, which are fetched from Debian otherwise. Exits with status 75 if they cannot be had,
 * with the reason in the last line, and with 1 if a script fails that `passing.ts` lists.
 */
import { parseArgs } from "@std/cli/parse-args";
import { findScripts } from "./sources.ts";
import { type Outcome, PeerFolder } from "./trial.ts";
import { PASSING } from "./passing.ts";

/** Time limit for one script, in milliseconds. */
const TIMEOUT = 300_000;

const options = parseArgs(Deno.args, { string: ["jobs", "from"] });
const wanted = options._.map(String);
const folder = Deno.makeTempDirSync({ prefix: "peers-" });
try {
  Deno.exitCode = await main();
} finally {
  Deno.removeSync(folder, { recursive: true });
}

async function main(): Promise<number> {
  let scripts: string;
  try {
    scripts = await findScripts(folder, options.from ?? Deno.env.get("SMF_PEERS"));
  } catch (error) {
    console.log(`the scripts cannot be had: ${(error as Error).message}`);
    return 75;
  }
  const work = `${folder}/work`;
  Deno.mkdirSync(work);
  const peers = new PeerFolder(work, scripts);
  const left = peers.scripts().filter((name) => wanted.length === 0 || wanted.includes(name.slice(0, -3)));
  const outcomes: Outcome[] = [];
  await Promise.all(Array.from({ length: Number(options.jobs ?? 1) }, async () => {
    for (let script = left.shift(); script !== undefined; script = left.shift()) {
      const outcome = await peers.run(script, TIMEOUT);
      outcomes.push(outcome);
      const { name, kind, reason, detail } = outcome;
      console.log(kind === "failed" ? `${name}: ${reason}: ${detail}` : `${name}: ${kind}`);
    }
  }));
  return summarize(outcomes);
}

/** Prints the counts; returns the exit code. */
function summarize(outcomes: readonly Outcome[]): number {
  const reasons = new Map<string, number>();
  for (const { reason } of outcomes) {
    if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  for (const [reason, count] of [...reasons].sort(([, a], [, b]) => b - a)) {
    console.log(`${String(count).padStart(4)}  ${reason}`);
  }
  const worse = outcomes.filter(({ name, kind }) => kind === "failed" && PASSING.has(name));
  for (const { name } of worse) console.log(`error: ${name} passed before`);
  const count = (kind: Outcome["kind"]) => outcomes.filter((outcome) => outcome.kind === kind).length;
  console.log(
    `peers: ${outcomes.length} scripts: ${count("passed")} passed, ${count("failed")} failed, ` +
      `${count("skipped")} skipped themselves`,
  );
  return worse.length === 0 ? 0 : 1;
}
