/**
 * Benchmarks modules whose running code takes up new code: a call inside a module that goes through an entry
 * against a direct one, and reloads of modules with thousands of functions against loads of the same files.
 */
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { compile } from "./compiler.ts";
import type { HotTimes, Pair } from "./hot_child.ts";
import { interleave, median, medianRatio } from "./measure.ts";
import { columns, type Report, type Series, table } from "./report.ts";

/** Nanoseconds of a call inside a module, the loop included. */
export interface HotCallRow {
  readonly calls: string;
  readonly plain: number;
  readonly hot: number;
  /** Median over the rounds of the difference. */
  readonly difference: number;
  readonly hotToPlain: number;
}

/** The result of {@linkcode hotBench}. */
export interface HotReport {
  readonly calls: readonly HotCallRow[];
  /** CPU time of reloads and loads. */
  readonly reloads: Report;
}

/** A kind of module whose reloads are measured. */
interface Shape {
  readonly name: string;
  /** Whether one function calls all others in turn, so that each has an entry in use. */
  readonly isCalling: boolean;
  readonly variables: number;
}

const SHAPES: readonly Shape[] = [
  { name: "functions called by one of them", isCalling: true, variables: 0 },
  { name: "functions called by one of them, a variable", isCalling: true, variables: 1 },
  { name: "functions that do not call each other, a variable", isCalling: false, variables: 1 },
  { name: "functions that do not call each other, 2,000 variables", isCalling: false, variables: 2000 },
];

/** The reloads of one registry that count together: the first makes what the next ones find. */
const STAGES = [
  { name: "first reload", from: 1, to: 1 },
  { name: "reloads 2 to 4", from: 2, to: 4 },
  { name: "reloads 9 to 12", from: 9, to: 12 },
] as const;

/** The reloads that have come before those of the last stage, in a round of its own. */
const EARLIER = 100;

/** The most loads that a reload may take. */
const GOAL = 1.5;

const CHILD = new URL("hot_child.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** The functions that are called in turn: more than a processor predicts. */
const MANY = 4096;
const FLAGS = ["-O2", "-g", "-ffunction-sections", "-fdata-sections"];

function callSource(): string {
  const names = Array.from({ length: MANY }, (_, index) => `f${index}`);
  const functions = names.map((name, index) =>
    `__attribute__((noinline)) int ${name}(int x) { return x + ${index}; }`
  );
  return `
    __attribute__((noinline)) int step(int x) { return x + 1; }
    ${functions.join("\n")}
    int one(int count) { int x = 0; while (count-- > 0) x = step(x); return x; }
    static int all(int x) { ${names.map((name) => `x = ${name}(x);`).join(" ")} return x; }
    int many(int count) { int x = 0; for (; count > 0; count -= ${MANY}) x = all(x); return x; }`;
}

function largeSource(functions: number, { isCalling, variables }: Shape, version: number): string {
  const names = Array.from({ length: functions }, (_, index) => `g${index}`);
  return [
    ...Array.from({ length: variables }, (_, index) => `int v${index} = ${index};`),
    ...names.map((name, index) =>
      `__attribute__((noinline)) int ${name}(int x) { return x + ${index + version}; }`
    ),
    ...isCalling ? [`int all(int x) { ${names.map((name) => `x = ${name}(x);`).join(" ")} return x; }`] : [],
  ].join("\n");
}

/** Measures calls and reloads. */
export async function hotBench(
  { rounds = 101, functions = 10_000 }: { rounds?: number; functions?: number } = {},
): Promise<HotReport> {
  using calls = await compile(callSource(), FLAGS);
  if (calls === undefined) {
    return { calls: [], reloads: reloadReport([], ["everything: there is no C compiler (cc)"]) };
  }
  const rows = callRows(link(calls.object, false), link(calls.object, true), rounds);
  const series: Series[] = [];
  for (const shape of SHAPES) {
    using first = await compile(largeSource(functions, shape, 1), FLAGS);
    using second = await compile(largeSource(functions, shape, 2), FLAGS);
    const plain = link(first!.object, false);
    const versions = [first, second].map((compiled) => link(compiled!.object, true));
    series.push(...reloads(shape, functions, measure({ plain, versions }, Math.ceil(rounds / 5))));
  }
  return { calls: rows, reloads: reloadReport(series, []) };
}

function reloadReport(series: readonly Series[], skipped: readonly string[]): Report {
  return { title: "reloads of hot modules", series, skipped };
}

function link(object: Uint8Array<ArrayBuffer>, hot: boolean): Uint8Array<ArrayBuffer> {
  return linkObjects([{ name: "object.o", bytes: object }], { hot }).bytes as Uint8Array<ArrayBuffer>;
}

function callRows(
  plain: Uint8Array<ArrayBuffer>,
  hot: Uint8Array<ArrayBuffer>,
  rounds: number,
): HotCallRow[] {
  using registry = new ModuleRegistry();
  using _plain = registry.loadBytes("plain", plain);
  using _hot = registry.loadBytes("hot", hot);
  const definition = { parameters: ["i32"], result: "i32" } as const;
  const bound = (name: string) => registry.open(name, { one: definition, many: definition }).symbols;
  const [direct, switched] = [bound("plain"), bound("hot")];
  // So few that a round mostly fits between two switches of the system to other programs.
  const count = 4 * MANY;
  return ([["one function", "one"], [`${MANY} functions in turn`, "many"]] as const).map(([calls, name]) => {
    const samples = interleave([
      { name: "plain", run: direct[name], calls: count },
      { name: "hot", run: switched[name], calls: count },
    ], rounds);
    const [before, after] = [samples.get("plain")!, samples.get("hot")!];
    return {
      calls,
      plain: median(before),
      hot: median(after),
      difference: median(after.map((value, round) => value - before[round])),
      hotToPlain: medianRatio(after, before),
    };
  });
}

/** The files of one shape. */
interface Files {
  /** The first version, linked without `--hot`. */
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly versions: readonly Uint8Array<ArrayBuffer>[];
}

/** Measures one shape in a process of its own: memory that another one has freed would make loads cheaper than in most programs. */
function measure({ plain, versions }: Files, rounds: number): HotTimes {
  const folder = Deno.makeTempDirSync();
  try {
    const paths = [plain, ...versions].map((bytes, index) => {
      Deno.writeFileSync(`${folder}/${index}.smf`, bytes);
      return `${folder}/${index}.smf`;
    });
    const args = ["run", "--allow-all", "--no-lock", "--config", CONFIG, CHILD, `${rounds}`, ...paths];
    const { success, stdout, stderr } = new Deno.Command(Deno.execPath(), { args }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Compares reloads of one shape with loads. */
function reloads({ name }: Shape, functions: number, { plain, hot, rounds, long }: HotTimes): Series[] {
  const series = (what: string, peer: string, ours: number[], theirs: number[], goal?: number): Series => {
    const point = {
      size: functions,
      ours: median(ours),
      peer: median(theirs),
      ratio: medianRatio(ours, theirs),
    };
    return { name: what, per: name, unit: "ms", peer, points: [{ ...point, goal }] };
  };
  const stage = (what: string, samples: readonly (readonly Pair[])[]): Series => {
    const medians = (side: keyof Pair) => samples.map((pairs) => median(pairs.map((pair) => pair[side])));
    return series(what, "load", medians("reload"), medians("load"), GOAL);
  };
  return [
    series("load", "not hot", hot, plain),
    ...STAGES.map(({ name, from, to }) => stage(name, rounds.map((pairs) => pairs.slice(from - 1, to)))),
    stage(`reloads ${EARLIER + 1} to ${long.length}`, long.slice(EARLIER).map((pair) => [pair])),
  ];
}

/** Formats the report as text. */
export function hotTable({ calls, reloads }: HotReport): string {
  const cells = [
    ["  calls inside a module", "direct (ns)", "through entries", "more", "ratio"],
    ...calls.map((row) => [
      `  ${row.calls}`,
      ...[row.plain, row.hot, row.difference, row.hotToPlain].map((value) => value.toFixed(2)),
    ]),
  ];
  return [...calls.length > 0 ? ["hot calls", ...columns(cells)] : [], table(reloads)].join("\n");
}

if (import.meta.main) console.log(hotTable(await hotBench({ rounds: 31 })));
