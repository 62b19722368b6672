/**
 * `deno task bench [NAME…] [--out FOLDER] [--rounds N]`: measures, prints
 * tables with ratios, and writes a JSON file and a log–log chart of each
 * benchmark. Names choose benchmarks; without any, all of them run.
 */
import { parseArgs } from "@std/cli";
import { bindBench } from "./bind_bench.ts";
import { callBench, callTable } from "./call_bench.ts";
import { linkBench } from "./link_bench.ts";
import { loadBench } from "./load_bench.ts";
import { registryBench } from "./registry_bench.ts";
import { relocationBench } from "./relocation_bench.ts";
import { reloadBench, reloadTable } from "./reload_bench.ts";
import { chart, type Report, table } from "./report.ts";
import { symbolBench } from "./symbol_bench.ts";

const options = parseArgs(Deno.args, { string: ["out", "rounds"] });
const out = options.out ?? "bench-results";
const rounds = options.rounds === undefined ? undefined : Number(options.rounds);
const chosen = new Set(options._.map(String));
const results: Record<string, unknown> = {};
Deno.mkdirSync(out, { recursive: true });

/** V8's own, where it was started with `--expose-gc`. */
const collect = (globalThis as { gc?: () => void }).gc;

/** Runs one benchmark if it was chosen. */
async function run<T>(
  name: string,
  measure: () => Promise<T> | T,
  show: (found: T) => string,
): Promise<void> {
  if (chosen.size > 0 && !chosen.has(name)) return;
  // What one leaves to the garbage collector is not the next one's.
  collect?.();
  const found = await measure();
  results[name] = found;
  console.log(`${show(found)}\n`);
}

/** As a person reads it; the chart goes to a file. */
function show(report: Report): string {
  const drawn = chart(report);
  if (drawn !== "") Deno.writeTextFileSync(`${out}/${report.title}.svg`, drawn);
  return table(report);
}

await run("load", () => loadBench(rounds), show);
await run("relocations", () => relocationBench(rounds), show);
await run("symbols", () => symbolBench(rounds), show);
await run("registry", () => registryBench(rounds), show);
await run("bind", () => bindBench(rounds), show);
await run("link", () => linkBench(rounds), show);
await run("call", () => callBench({ rounds }), callTable);
await run("reload", () => reloadBench({ rounds }), reloadTable);

const report = { deno: Deno.version, build: Deno.build, date: new Date().toISOString(), ...results };
Deno.writeTextFileSync(`${out}/bench.json`, `${JSON.stringify(report, null, 2)}\n`);
