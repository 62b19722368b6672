/**
 * Benchmarks reloads: the time until new code is live against a plain load of the
 * same file, the pauses of Workers that call meanwhile, and the time from saving a
 * file to running it.
 *
 * Run it alone with `deno run -A tests/bench/reload_bench.ts [--json FILE]`
 */
import { parseArgs } from "@std/cli";
import { ModuleRegistry } from "../../mod.ts";
import { version } from "../support/versions.ts";
import { TestWorker } from "../support/workers.ts";
import { median, medianRatio } from "./measure.ts";

const LIVE = { answer: { parameters: [], result: "i32" } } as const;

/** Times for a module of some size, in milliseconds. */
export interface ReloadRow {
  /** Describes the module. */
  readonly module: string;
  readonly bytes: number;
  /** Loading the file in a registry. */
  readonly load: number;
  /** Loading the file, then binding and calling a function, as a program without reloads would do. */
  readonly loadAndCall: number;
  /** From `reload()` to the first result of the new code, while old versions are kept. */
  readonly reload: number;
  /** A reload with `keepVersions: 1`, where `reload()` frees the version before the last before it returns. */
  readonly returns: number;
  /** A reload that carries variables. */
  readonly carry: number;
  /** A reload whose variables stay where they are, so that no version is freed. */
  readonly keep: number;
  /** Median over the rounds of reload / load. */
  readonly reloadToLoad: number;
  /** Median over the rounds of keep / load. */
  readonly keepToLoad: number;
}

/** Pauses of a Worker that calls continuously, in milliseconds. */
export interface PauseReport {
  readonly reloads: number;
  /** Longest pause between two calls in each window of 5 ms: the median and the maximum of those. */
  readonly quiet: { readonly median: number; readonly longest: number };
  readonly reloading: { readonly median: number; readonly longest: number };
}

/** The result of {@linkcode reloadBench}. */
export interface ReloadReport {
  readonly rows: readonly ReloadRow[];
  readonly pause: PauseReport;
  /** From the end of writing a file to the new result, in milliseconds, with the default options of a watch. */
  readonly save: { readonly median: number; readonly longest: number };
}

/** The amount of measuring. */
export interface ReloadBenchOptions {
  /** @default 101 */
  readonly rounds?: number | undefined;
}

/** The sizes of the modules. */
const SIZES: readonly (readonly [functions: number, variables: number])[] = [
  [1, 1],
  [10, 10],
  [100, 100],
  [1000, 1000],
  [10_000, 2000],
];

function moduleOf(functions: number, answer: number, variables = functions): Uint8Array<ArrayBuffer> {
  return version({
    homes: true,
    functions: {
      answer,
      ...Object.fromEntries(Array.from({ length: functions - 1 }, (_, index) => [`f${index}`, index])),
    },
    data: Object.fromEntries(Array.from({ length: variables }, (_, index) => [`v${index}`, ["answer", 0n]])),
  });
}

/** Wall-clock milliseconds of some work. */
function time(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function measureModule(directory: string, size: (typeof SIZES)[number], rounds: number): ReloadRow {
  const [functions, variables] = size;
  const files = [1, 2].map((answer) => `${directory}/${functions}_${answer}.smf`);
  files.forEach((file, index) => Deno.writeFileSync(file, moduleOf(functions, index + 1, variables)));
  const path = `${directory}/${functions}.smf`;
  Deno.copyFileSync(files[0], path);
  const keeping = new ModuleRegistry({ keepVersions: Infinity });
  const freeing = new ModuleRegistry();
  const living = new ModuleRegistry();
  const samples = { load: [], loadAndCall: [], reload: [], returns: [], carry: [], keep: [] } as Record<
    string,
    number[]
  >;
  const opened = new Map([keeping, freeing, living].map((registry) => [registry, registry.open(path, LIVE)]));
  const use = (registry: ModuleRegistry, state: "fresh" | "carry" | "keep", answer: number): number => {
    Deno.copyFileSync(files[answer - 1], path);
    const { symbols } = opened.get(registry)!;
    return time(() => {
      registry.reload(path, { state }).close();
      if (symbols.answer() !== answer) throw new Error("the old code ran");
    });
  };
  for (let round = -5; round < rounds; round++) {
    const other = new ModuleRegistry();
    // The first load of a registry opens libraries, which is not part of the cost of a load.
    other.loadBytes("first", moduleOf(1, 1)).getFunction("answer", LIVE.answer);
    // A fresh copy, as the file to reload is.
    Deno.copyFileSync(files[0], `${path}.other`);
    const load = time(() => other.load(`${path}.other`));
    const loadAndCall = time(() => other.load(files[1]).getFunction("answer", LIVE.answer)!());
    const found = {
      load,
      loadAndCall,
      reload: use(keeping, "fresh", 2),
      returns: use(freeing, "fresh", 2),
      carry: use(freeing, "carry", 1),
      keep: use(living, "keep", 1 + Math.abs(round) % 2),
    };
    keeping.reload(path).close();
    other[Symbol.dispose]();
    if (round < 0) continue;
    for (const [name, value] of Object.entries(found)) samples[name].push(value);
  }
  keeping[Symbol.dispose]();
  freeing[Symbol.dispose]();
  living[Symbol.dispose]();
  return {
    module: `${functions} functions, ${variables} variables`,
    bytes: moduleOf(functions, 1, variables).length,
    load: median(samples.load),
    loadAndCall: median(samples.loadAndCall),
    reload: median(samples.reload),
    returns: median(samples.returns),
    carry: median(samples.carry),
    keep: median(samples.keep),
    reloadToLoad: medianRatio(samples.reload, samples.load),
    keepToLoad: medianRatio(samples.keep, samples.load),
  };
}

async function measurePause(reloads: number): Promise<PauseReport> {
  await using registry = new ModuleRegistry();
  registry.loadBytes("m", moduleOf(10, 1));
  using live = registry.open("m", LIVE);
  const token = live.share();
  const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const measure = async (work: () => Promise<void>): Promise<{ median: number; longest: number }> => {
    using worker = new TestWorker<unknown>(new URL("./pause_worker.ts", import.meta.url));
    const words = new Int32Array(new SharedArrayBuffer(8));
    await worker.ask({ token, words: words.buffer });
    await wait(100);
    Atomics.store(words, 1, 1);
    await work();
    Atomics.store(words, 0, 1);
    const pauses = await worker.answer() as number[];
    return { median: median(pauses), longest: Math.max(...pauses) };
  };
  const quiet = await measure(() => wait(4 * reloads).then(() => {}));
  const reloading = await measure(async () => {
    for (let reload = 0; reload < reloads; reload++) {
      registry.reload("m", { bytes: moduleOf(10, reload + 2) }).close();
      await wait(3);
    }
  });
  return { reloads, quiet, reloading };
}

async function measureSave(directory: string, rounds: number): Promise<ReloadReport["save"]> {
  const path = `${directory}/saved.smf`;
  Deno.writeFileSync(path, moduleOf(10, 1));
  await using registry = new ModuleRegistry();
  const live = registry.open(path, LIVE);
  const stop = new AbortController();
  const events = registry.watch({ signal: stop.signal });
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    Deno.writeFileSync(`${directory}/saved.new`, moduleOf(10, round + 2));
    Deno.renameSync(`${directory}/saved.new`, path);
    const start = performance.now();
    const { value } = await events.next();
    if (value?.kind !== "reloaded" || live.symbols.answer() !== round + 2) throw new Error(value?.kind);
    times.push(performance.now() - start);
  }
  stop.abort();
  await events.return(undefined);
  return { median: median(times), longest: Math.max(...times) };
}

/** Runs the benchmark. */
export async function reloadBench({ rounds = 101 }: ReloadBenchOptions = {}): Promise<ReloadReport> {
  const directory = Deno.makeTempDirSync({ prefix: "smf_reload_bench_" });
  try {
    return {
      rows: SIZES.map((size) => measureModule(directory, size, rounds)),
      pause: await measurePause(4 * rounds),
      save: await measureSave(directory, Math.ceil(rounds / 3)),
    };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Formats the report as text. */
export function reloadTable({ rows, pause, save }: ReloadReport): string {
  const cells = [
    [
      "module",
      "bytes",
      "load",
      "load, bind, call",
      "reload to live",
      "and freeing",
      "and carrying",
      "keeping",
      "reload / load",
      "keep / load",
    ],
    ...rows.map((row) => [
      row.module,
      String(row.bytes),
      ...[row.load, row.loadAndCall, row.reload, row.returns, row.carry, row.keep].map((value) =>
        `${value.toFixed(3)} ms`
      ),
      row.reloadToLoad.toFixed(2),
      row.keepToLoad.toFixed(2),
    ]),
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const lines = cells.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join(
      "  ",
    )
  );
  const span = ({ median, longest }: { median: number; longest: number }) =>
    `${median.toFixed(3)} ms, at most ${longest.toFixed(3)} ms`;
  return [
    "Reloads: medians",
    ...lines,
    "Longest pause between two calls of a Worker in 5 ms, a clock call included",
    `  nothing reloaded: ${span(pause.quiet)}`,
    `  ${pause.reloads} reloads:     ${span(pause.reloading)}`,
    `From saving a file to its first result: ${span(save)}`,
  ].join("\n");
}

if (import.meta.main) {
  const { json, rounds } = parseArgs(Deno.args, { string: ["json", "rounds"] });
  const report = await reloadBench(rounds === undefined ? {} : { rounds: Number(rounds) });
  console.log(reloadTable(report));
  if (json !== undefined) Deno.writeTextFileSync(json, JSON.stringify(report, null, 2) + "\n");
}
