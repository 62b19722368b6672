/**
 * Benchmarks what types add to a link, without the start of the process: libraries in C and Rust with debug
 * information, linked with types and without.
 *
 * Run it alone with `deno run -A tests/bench/types_bench.ts`
 */
import { join } from "@std/path";
import { compile, hasCommand } from "../support/compilers.ts";
import { buildLibrary, fetchSources, LIBRARIES } from "../support/library_sources.ts";
import { median, medianRatio } from "./measure.ts";
import { type Point, type Report, table } from "./report.ts";

/** Links in one process, of which the last quarter counts. */
const LINKS = 40;

interface Input {
  readonly paths: readonly string[];
  readonly exports: readonly string[];
}

/** Milliseconds of CPU time. */
interface Times {
  /** The first link of a process, all threads of which count: V8 compiles and collects in others. */
  readonly first: number;
  /** A link after many others, in its own thread. */
  readonly later: number;
}

const CHILD = new URL("types_child.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

function link({ paths, exports }: Input, types: "keep" | "off"): Times {
  const { success, stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", CONFIG, CHILD, types, `${LINKS}`, exports.join(), ...paths],
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { first, later } = JSON.parse(new TextDecoder().decode(stdout));
  return { first, later: median(later.slice(-LINKS / 4)) };
}

/** Links with types and without in turn, each in processes of its own. */
function measure(input: Input, rounds: number): { readonly first: Point; readonly later: Point } {
  const keep: Times[] = [], off: Times[] = [];
  for (let round = 0; round < rounds; round++) {
    keep.push(link(input, "keep"));
    off.push(link(input, "off"));
  }
  const size = input.paths.reduce((sum, path) => sum + Deno.statSync(path).size, 0);
  const point = (key: keyof Times): Point => {
    const [ours, peer] = [keep, off].map((times) => times.map((time) => time[key]));
    return { size, ours: median(ours), peer: median(peer), ratio: medianRatio(ours, peer), goal: 1.5 };
  };
  return { first: point("first"), later: point("later") };
}

/** Makes the inputs in a folder; says what it cannot make. */
async function makeInputs(folder: string, skipped: string[]): Promise<Map<string, Input>> {
  const inputs = new Map<string, Input>();
  try {
    await fetchSources(folder);
    for (const library of LIBRARIES) {
      inputs.set(library.name, { paths: await buildLibrary(folder, library, "gcc"), exports: ["*"] });
    }
  } catch (error) {
    skipped.push(`libraries in C: ${(error as Error).message}`);
  }
  if (hasCommand("rustc")) {
    const source = new URL("../../fixtures/src/rust/tour.rs", import.meta.url).pathname;
    const path = join(folder, "tour.a");
    await compile("rustc", ["-g", "-O", "--crate-type", "staticlib", source, "-o", path]);
    const found = Deno.readTextFileSync(source).matchAll(/no_mangle[^]*?\bfn (\w+)/g);
    inputs.set("a Rust archive", { paths: [path], exports: Array.from(found, ([, name]) => name) });
  } else skipped.push("a Rust archive: needs rustc");
  return inputs;
}

/** Runs the benchmark. */
export async function typesBench(rounds = 5): Promise<Report> {
  const skipped: string[] = [];
  const folder = Deno.makeTempDirSync({ prefix: "smf_types_bench_" });
  try {
    const series = [];
    for (const [name, input] of await makeInputs(folder, skipped)) {
      const { first, later } = measure(input, rounds);
      const common = { per: "bytes", unit: "ms", peer: "no types" } as const;
      series.push({ name: `first link of ${name}`, ...common, points: [first] });
      series.push({ name: `later link of ${name}`, ...common, points: [later] });
    }
    return { title: "types", series, skipped };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) console.log(table(await typesBench()));
