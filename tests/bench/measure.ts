/**
 * Times calls so that their times can be compared: by medians of interleaved
 * rounds, so that disturbances of the machine affect all subjects alike.
 */

/** A loop to time. */
export interface Subject {
  readonly name: string;
  /** Makes `count` calls. */
  readonly run: (count: number) => unknown;
  /** Calls per round. */
  readonly calls: number;
}

/** For each subject, nanoseconds per call in each round. */
export type Samples = ReadonlyMap<string, readonly number[]>;

/** Runs all subjects in turn, starting with another one each round. */
export function interleave(subjects: readonly Subject[], rounds: number): Samples {
  const samples = new Map(subjects.map(({ name }) => [name, [] as number[]]));
  for (const { run, calls } of subjects) for (let warmup = 0; warmup < 4; warmup++) run(calls);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const { name, run, calls } = subjects[(turn + round) % subjects.length];
      const start = performance.now();
      run(calls);
      samples.get(name)!.push((performance.now() - start) * 1e6 / calls);
    }
  }
  return samples;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of the ratios within each round. */
export function medianRatio(over: readonly number[], under: readonly number[]): number {
  return median(over.map((value, round) => value / under[round]));
}

/** The two sides of {@linkcode paired}; each returns milliseconds. */
export interface Pair {
  ours(round: number): number;
  peer(round: number): number;
}

/** The medians of both sides, and the median of the ratios. */
export interface Paired {
  readonly ours: number;
  readonly peer: number;
  readonly ratio: number;
}

/** Times two sides alternately, each of them first in every other round, after a warm-up. */
export function paired({ ours, peer }: Pair, rounds: number, warmup = 0): Paired {
  const mine: number[] = [], theirs: number[] = [];
  for (let round = 0; round < warmup + rounds; round++) {
    const before = round % 2 === 0 ? ours(round) : undefined;
    const other = peer(round);
    const own = before ?? ours(round);
    if (round < warmup) continue;
    mine.push(own);
    theirs.push(other);
  }
  return { ours: median(mine), peer: median(theirs), ratio: medianRatio(mine, theirs) };
}

/** Wall-clock milliseconds of some work. */
export function wallTime(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

/**
 * CPU milliseconds of this thread for some work, in JavaScript, native code and the
 * kernel; not affected by other programs on a busy machine.
 *
 * Platforms: Linux; elsewhere, wall-clock milliseconds.
 */
export const time: (work: () => unknown) => number = cpuTime(3) ?? wallTime;

/**
 * CPU milliseconds of all threads of this process for some work: V8 compiles and collects garbage in threads of
 * its own.
 *
 * Platforms: Linux; elsewhere, wall-clock milliseconds.
 */
export const processTime: (work: () => unknown) => number = cpuTime(2) ?? wallTime;

/** Reads CLOCK_PROCESS_CPUTIME_ID (2) or CLOCK_THREAD_CPUTIME_ID (3) before and after some work. */
function cpuTime(clock: 2 | 3): ((work: () => unknown) => number) | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const { symbols } = Deno.dlopen("libc.so.6", {
    // int clock_gettime(clockid_t clock, struct timespec *time); -1
    clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  });
  const now = new BigInt64Array(2);
  const milliseconds = (): number => {
    symbols.clock_gettime(clock, now);
    return Number(now[0]) * 1e3 + Number(now[1]) / 1e6;
  };
  return (work) => {
    const start = milliseconds();
    work();
    return milliseconds() - start;
  };
}

let loopCount = 0;

/**
 * Makes a loop around one call, as {@linkcode expressionLoop} does.
 *
 * @param parameters The arguments of the call, as source text; may use `i` and the names of `scope`.
 */
export function loop(
  target: (...parameters: never[]) => unknown,
  parameters: string,
  scope: Readonly<Record<string, unknown>> = {},
): (count: number) => unknown {
  return expressionLoop(target, `f(${parameters})`, scope);
}

/**
 * Makes a loop around an expression, with a unique source text: V8 shares the feedback
 * of a call site between functions of equal text, and a call site that has seen
 * two targets loses the fast call.
 *
 * @param expression The source text, which calls `f`; may use `i` and the names of `scope`.
 */
export function expressionLoop(
  f: (...parameters: never[]) => unknown,
  expression: string,
  scope: Readonly<Record<string, unknown>>,
): (count: number) => unknown {
  const mark = ++loopCount;
  const source = `"use strict";
return function loop${mark}(count${mark}) {
  let result${mark};
  for (let i = 0; i < count${mark}; i++) result${mark} = ${expression};
  return result${mark};
};`;
  return new Function("f", ...Object.keys(scope), source)(f, ...Object.values(scope));
}

/** Makes a plain JavaScript function from the text of its body, with a unique source text as the loops have. */
export function plainFunction(body: string, parameterCount: number): (...parameters: never[]) => unknown {
  const parameters = [..."abcdefgh"].slice(0, parameterCount).join(", ");
  return new Function(`return function plain${++loopCount}(${parameters}) { ${body} }`)();
}

/** The CPU milliseconds of all child processes that have ended; undefined where the system does not tell. */
export function childrenClock(): (() => number) | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const { symbols } = Deno.dlopen("libc.so.6", {
    // int getrusage(int who, struct rusage *usage); -1
    getrusage: { parameters: ["i32", "buffer"], result: "i32" },
  });
  const RUSAGE_CHILDREN = -1;
  // struct rusage begins with two struct timeval: user and system time, in seconds and microseconds.
  const usage = new BigInt64Array(18);
  return () => {
    symbols.getrusage(RUSAGE_CHILDREN, usage);
    return Number(usage[0] + usage[2]) * 1e3 + Number(usage[1] + usage[3]) / 1e3;
  };
}
