/**
 * `deno task bench [NAME…] [--out FOLDER] [--rounds N]`: runs the named
 * benchmarks, by default all of them. Prints tables with ratios, and writes the
 * results as JSON and a log–log chart of each benchmark.
 */
import { parseArgs } from "@std/cli";
import { adapterBench, adapterTable } from "./adapter_bench.ts";
import { bindBench } from "./bind_bench.ts";
import { callBench, callTable } from "./call_bench.ts";
import { hotBench, hotTable } from "./hot_bench.ts";
import { linkBench } from "./link_bench.ts";
import { relinkBench } from "./relink_bench.ts";
import { loadBench } from "./load_bench.ts";
import { registryBench } from "./registry_bench.ts";
import { relocationBench } from "./relocation_bench.ts";
import { reloadBench, reloadTable } from "./reload_bench.ts";
import { chart, type Report, table } from "./report.ts";
import { startBench, startTable } from "./start_bench.ts";
import { symbolBench } from "./symbol_bench.ts";
import { typesBench } from "./types_bench.ts";
import { variableBench } from "./variable_bench.ts";

const options = parseArgs(Deno.args, { string: ["out", "rounds"] });
const out = options.out ?? "bench-results";
const rounds = options.rounds === undefined ? undefined : Number(options.rounds);
const chosen = new Set(options._.map(String));
const results: Record<string, unknown> = {};
Deno.mkdirSync(out, { recursive: true });

/** V8's garbage collector; undefined without `--expose-gc`. */
const collect = (globalThis as { gc?: () => void }).gc;

/** Runs a benchmark if it is chosen. */
async function run<T>(
  name: string,
  measure: () => Promise<T> | T,
  show: (found: T) => string,
): Promise<void> {
  if (chosen.size > 0 && !chosen.has(name)) return;
  // The garbage of one benchmark must not slow down the next.
  collect?.();
  const found = await measure();
  results[name] = found;
  console.log(`${show(found)}\n`);
}

/** Writes the chart to a file and formats the report as text. */
function show(report: Report): string {
  const drawn = chart(report);
  if (drawn !== "") Deno.writeTextFileSync(`${out}/${report.title}.svg`, drawn);
  return table(report);
}

await run("start", () => startBench(rounds), startTable);
await run("load", () => loadBench(rounds), show);
await run("relocations", () => relocationBench(rounds), show);
await run("symbols", () => symbolBench(rounds), show);
await run("registry", () => registryBench(rounds), show);
await run("variables", () => variableBench(rounds), show);
await run("bind", () => bindBench(rounds), show);
await run("link", () => linkBench(rounds), show);
await run("relink", () => relinkBench(rounds), show);
await run("types", () => typesBench(rounds), show);
await run("call", () => callBench({ rounds }), callTable);
await run("adapters", () => adapterBench(rounds), adapterTable);
await run("hot", () => hotBench(rounds === undefined ? {} : { rounds }), hotTable);
await run("reload", () => reloadBench({ rounds }), reloadTable);

const report = { deno: Deno.version, build: Deno.build, date: new Date().toISOString(), ...results };
Deno.writeTextFileSync(`${out}/bench.json`, `${JSON.stringify(report, null, 2)}\n`);
