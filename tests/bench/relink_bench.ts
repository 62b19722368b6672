/**
 * Benchmarks linking a program of many objects again when one of them has changed, with what earlier links have read
 * and without, each in processes of its own.
 *
 * Run it alone with `deno run -A tests/bench/relink_bench.ts`
 */
import { childrenClock, median, medianRatio } from "./measure.ts";
import { type Point, type Report, type Series, table } from "./report.ts";

const OBJECTS = 100;

/** Links in one process, of which the last third counts as later ones. */
const LINKS = 60;

/** The most milliseconds. */
const GOAL = 10;

const CHILD = new URL("relink_child.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** The flags that `build` gives to compilers. */
const FLAGS = ["-O2", "-fPIC", "-ffunction-sections", "-fdata-sections"];

/** One part of the program: variables, a struct that others have too, and functions that use two headers. */
function source(part: number, version: number): string {
  const next = (part + 1) % OBJECTS;
  return `#include <stdio.h>
#include <string.h>
struct item { int kind; double weight; const char *name; struct item *next; };
struct own_${part} { struct item item; long numbers[${part + 1}]; };
static int calls;
struct own_${part} table_${part};
int part_${next}(struct item *item, int count);
int part_${part}(struct item *item, int count) {
  calls += ${version};
  if (count <= 0) return (int) table_${part}.numbers[0];
  if (item->name && strlen(item->name) > 3) return (int) item->weight;
  return part_${next}(item->next, count - 1) + ${part};
}
int describe_${part}(char *out, size_t size) { return snprintf(out, size, "part %d, called %d", ${part}, calls); }
`;
}

/** The objects of a program. */
interface Program {
  readonly paths: readonly string[];
  /** Another version of one of them. */
  readonly changed: string;
}

function compileProgram(folder: string, name: string, flags: readonly string[]): Program {
  const compile = (part: number, version: number): string => {
    const path = `${folder}/${name}_${part}_${version}.o`;
    Deno.writeTextFileSync(`${folder}/part_${part}.c`, source(part, version));
    const args = [...FLAGS, ...flags, "-c", `part_${part}.c`, "-o", path];
    const { success, stderr } = new Deno.Command("gcc", { args, cwd: folder }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return path;
  };
  const paths = Array.from({ length: OBJECTS }, (_, part) => compile(part, 1));
  return { paths, changed: compile(OBJECTS >> 1, 2) };
}

/** Milliseconds of CPU time. */
interface Times {
  /** The second link of a process, all threads of which count. */
  readonly second: number;
  /** A link after many others, in its own thread. */
  readonly later: number;
}

function linkOften(way: "fresh" | "again", { paths, changed }: Program): Times {
  const { success, stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", CONFIG, CHILD, way, `${LINKS}`, changed, ...paths],
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { all, own } = JSON.parse(new TextDecoder().decode(stdout));
  return { second: all[1], later: median(own.slice(-LINKS / 3)) };
}

/** Measures everything in turn. */
function measure(name: string, program: Program, folder: string, rounds: number): Series[] {
  const clock = childrenClock() ?? (() => NaN);
  const ld = (kind: string): number => {
    const args = [kind, ...program.paths, "-o", `${folder}/out`], start = clock();
    const { success, stderr } = new Deno.Command("ld", { args }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return clock() - start;
  };
  const again: Times[] = [], fresh: Times[] = [], shared: number[] = [], merged: number[] = [];
  for (let round = 0; round < rounds; round++) {
    again.push(linkOften("again", program));
    fresh.push(linkOften("fresh", program));
    shared.push(ld("-shared"));
    merged.push(ld("-r"));
  }
  const later = again.map((times) => times.later), second = again.map((times) => times.second);
  const point = (ours: readonly number[], peer: readonly number[], goal?: number): Point => ({
    size: OBJECTS,
    ours: median(ours),
    peer: median(peer),
    ratio: medianRatio(ours, peer),
    ...(goal !== undefined && { goal }),
  });
  const series = (what: string, peer: string, one: Point): Series => ({
    ...{ name: `${what}, ${name}`, per: "objects, one changed", unit: "ms", peer, points: [one] },
  });
  return [
    {
      ...{ name: `link again, ${name}`, per: "objects, one changed", unit: "ms" },
      points: [{ size: OBJECTS, ours: median(later), goal: GOAL }],
    },
    series("link again", "fresh", point(later, fresh.map((times) => times.later))),
    series("link again", "ld -shared", point(later, shared)),
    series("link again", "ld -r", point(later, merged)),
    series("second link of a process", "fresh", point(second, fresh.map((times) => times.second))),
  ];
}

/** Runs the benchmark. */
export function relinkBench(rounds = 5): Report {
  const title = "relink", series: Series[] = [];
  const folder = Deno.makeTempDirSync({ prefix: "smf_relink_bench_" });
  try {
    for (const [name, flags] of [["without -g", []], ["with -g", ["-g"]]] as const) {
      series.push(...measure(name, compileProgram(folder, name.replace(" ", "_"), flags), folder, rounds));
    }
    return { title, series, skipped: [] };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { title, series, skipped: ["there is no gcc or no ld"] };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) console.log(table(relinkBench()));
