/**
 * `deno task bench [--json FILE] [--rounds N]`: measures and prints.
 */
import { parseArgs } from "@std/cli";
import { callBench, callTable } from "./call_bench.ts";
import { reloadBench, reloadTable } from "./reload_bench.ts";

const options = parseArgs(Deno.args, { string: ["json", "rounds"] });
const rounds = options.rounds === undefined ? undefined : Number(options.rounds);
const calls = await callBench({ rounds });
console.log(callTable(calls));
const reloads = await reloadBench({ rounds });
console.log(reloadTable(reloads));
if (options.json !== undefined) {
  const report = { deno: Deno.version, build: Deno.build, date: new Date().toISOString(), calls, reloads };
  await Deno.writeTextFile(options.json, JSON.stringify(report, null, 2) + "\n");
}
