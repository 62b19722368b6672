/**
 * Benchmarks modules whose running code takes up new code: a call inside a module that goes through an entry
 * against a direct one, and loads and reloads of a module with thousands of functions.
 */
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { compile } from "./compiler.ts";
import { interleave, median, medianRatio } from "./measure.ts";

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
  readonly rows: readonly HotCallRow[];
  /** Milliseconds for a module with so many functions; undefined without a compiler. */
  readonly size: {
    readonly functions: number;
    readonly plainLoad: number;
    readonly load: number;
    readonly reload: number;
    readonly reloadToLoad: number;
  } | undefined;
  readonly skipped: readonly string[];
}

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

function largeSource(functions: number, version: number): string {
  const names = Array.from({ length: functions }, (_, index) => `g${index}`);
  return `${
    names.map((name, index) =>
      `__attribute__((noinline)) int ${name}(int x) { return x + ${index + version}; }`
    ).join(
      "\n",
    )
  }
  int all(int x) { ${names.map((name) => `x = ${name}(x);`).join(" ")} return x; }`;
}

/** Measures calls and reloads. */
export async function hotBench(
  { rounds = 101, functions = 10_000 }: { rounds?: number; functions?: number } = {},
): Promise<HotReport> {
  using calls = await compile(callSource(), FLAGS);
  using first = await compile(largeSource(functions, 1), FLAGS);
  using second = await compile(largeSource(functions, 2), FLAGS);
  if (calls === undefined || first === undefined || second === undefined) {
    return { rows: [], size: undefined, skipped: ["everything: there is no C compiler (cc)"] };
  }
  const link = (object: Uint8Array<ArrayBuffer>, hot: boolean) =>
    linkObjects([{ name: "object.o", bytes: object }], { hot }).bytes as Uint8Array<ArrayBuffer>;
  const versions = [first, second].map(({ object }) => link(object, true));
  return {
    rows: callRows(link(calls.object, false), link(calls.object, true), rounds),
    size: { functions, ...reloads(link(first.object, false), versions, Math.ceil(rounds / 5)) },
    skipped: [],
  };
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

function reloads(
  plain: Uint8Array<ArrayBuffer>,
  versions: readonly Uint8Array<ArrayBuffer>[],
  rounds: number,
): { plainLoad: number; load: number; reload: number; reloadToLoad: number } {
  const times = { plainLoad: [] as number[], load: [] as number[], reload: [] as number[] };
  const timed = (into: number[], work: () => Disposable): Disposable => {
    const start = performance.now();
    const result = work();
    into.push(performance.now() - start);
    return result;
  };
  for (let round = 0; round < rounds; round++) {
    using registry = new ModuleRegistry();
    using _plain = timed(times.plainLoad, () => registry.loadBytes("plain", plain));
    using _hot = timed(times.load, () => registry.loadBytes("hot", versions[0]));
    using _next = timed(times.reload, () => registry.reload("hot", { bytes: versions[1] }));
  }
  return {
    plainLoad: median(times.plainLoad),
    load: median(times.load),
    reload: median(times.reload),
    reloadToLoad: medianRatio(times.reload, times.load),
  };
}

/** Formats the report as text. */
export function hotTable({ rows, size, skipped }: HotReport): string {
  const lines = rows.map(({ calls, plain, hot, difference, hotToPlain }) =>
    `  ${calls.padEnd(26)} ${plain.toFixed(2)} direct, ${hot.toFixed(2)} through entries: ` +
    `+${difference.toFixed(2)} ns, ratio ${hotToPlain.toFixed(2)}`
  );
  const sizes = size === undefined ? [] : [
    `A module with ${size.functions} functions: load ${size.plainLoad.toFixed(1)} ms plain, ` +
    `${size.load.toFixed(1)} ms hot; reload ${size.reload.toFixed(1)} ms, ratio ${
      size.reloadToLoad.toFixed(2)
    }`,
  ];
  return [
    "ns per call inside a module: medians",
    ...lines,
    ...sizes,
    ...skipped.map((why) => `skipped ${why}`),
  ].join(
    "\n",
  );
}

if (import.meta.main) console.log(hotTable(await hotBench({ rounds: 31 })));
