/**
 * Benchmarks symbol tables with many names: parsing, indexing, and lookups with and
 * without a match, against `dlsym` on a shared library with the same names.
 *
 * Run it alone with `deno run -A tests/bench/symbol_bench.ts`
 */
import { type ParsedSmf, parseSmf } from "../../src/smf/file.ts";
import type { SymbolTable } from "../../src/smf/symbol.ts";
import { randomFrom } from "../support/testing.ts";
import { median, paired, time } from "./measure.ts";
import { functionForms, NO_COMPILER } from "./objects.ts";
import { cString, NO_SYSTEM_LOADER, SystemLoader } from "./peers.ts";
import { type Point, type Report, table } from "./report.ts";

const COUNTS = [1000, 100_000, 1_000_000];
/** Lookups per round. */
const LOOKUPS = 1000;

/**
 * Times a lookup of each name, in nanoseconds.
 *
 * @param areReady Whether the peer gets C strings that are made beforehand.
 */
function measureLookups(
  symbols: SymbolTable,
  names: readonly string[],
  library: string,
  rounds: number,
  areReady: boolean,
): Omit<Point, "size"> {
  const system = new SystemLoader();
  const handle = system.open(cString(library));
  const cNames = names.map(cString);
  let found = 0;
  const findReady = () => {
    for (const name of cNames) if (system.find(handle, name) !== 0n) found--;
  };
  const findNames = () => {
    for (const name of names) if (system.findName(handle, name) !== 0n) found--;
  };
  const result = paired(
    {
      ours: () =>
        time(() => {
          for (const name of names) if (symbols.exportOf(name) >= 0) found++;
        }),
      peer: () => time(areReady ? findReady : findNames),
    },
    rounds,
    20,
  );
  system.close(handle);
  if (found !== 0) throw new Error("the two sides found different names");
  const scale = 1e6 / names.length;
  return { ours: scale * result.ours, peer: scale * result.peer, ratio: result.ratio };
}

/** V8's garbage collector; undefined without `--expose-gc`. */
const collect = (globalThis as { gc?: () => void }).gc;

/** The names to parse for a figure of memory, in as many tables as needed: a small table alone is lost in noise. */
const PARSED_NAMES = 1_000_000;

/** Bytes per symbol that parsing and lookups allocate, beyond the file's own tables, which are used in place. */
async function measureMemory(bytes: Uint8Array, names: readonly string[]): Promise<number> {
  const used = async (): Promise<number> => {
    for (let turn = 0; turn < 3; turn++) {
      collect?.();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  };
  const count = parseSmf(bytes).symbols.length;
  const files = new Array<ParsedSmf | undefined>(Math.ceil(PARSED_NAMES / count)).fill(undefined);
  const before = await used();
  for (let i = 0; i < files.length; i++) {
    const file = files[i] = parseSmf(bytes);
    // As many lookups as it takes until all indexes for fast lookups exist.
    for (let turn = 0; turn < count; turn += names.length) {
      for (const name of names) file.symbols.indexOf(name);
    }
  }
  const after = await used();
  return Math.max(0, after - before) / (count * files.length);
}

/** Runs the benchmark. */
export async function symbolBench(rounds = 101): Promise<Report> {
  const title = "symbols";
  if (NO_SYSTEM_LOADER !== undefined) return { title, series: [], skipped: [NO_SYSTEM_LOADER] };
  const read: Point[] = [],
    first: Point[] = [],
    hits: Point[] = [],
    ready: Point[] = [],
    misses: Point[] = [],
    memory: Point[] = [];
  for (const count of COUNTS) {
    using forms = await functionForms(count);
    if (forms === undefined) return { title, series: [], skipped: [NO_COMPILER] };
    const turns = Math.max(5, Math.min(rounds, Math.ceil(3e6 / count)));
    const times = { read: [] as number[], first: [] as number[] };
    let symbols!: SymbolTable;
    for (let turn = 0; turn < turns; turn++) {
      times.read.push(time(() => symbols = parseSmf(forms.module).symbols));
      times.first.push(time(() => symbols.find("nothing")));
    }
    const random = randomFrom(count);
    const pick = (prefix: string) => Array.from({ length: LOOKUPS }, () => `${prefix}${random() % count}`);
    read.push({ size: count, ours: 1000 * median(times.read) });
    first.push({ size: count, ours: 1000 * median(times.first) });
    const look = (prefix: string, areReady = false): Omit<Point, "size"> =>
      measureLookups(symbols, pick(prefix), forms.library, rounds, areReady);
    hits.push({ size: count, goal: 0.5, ...look("function_") });
    ready.push({ size: count, ...look("function_", true) });
    misses.push({ size: count, goal: 0.5, ...look("missing_") });
    if (collect !== undefined) {
      memory.push({ size: count, goal: 8, ours: await measureMemory(forms.module, pick("function_")) });
    }
  }
  return {
    title,
    series: [
      { name: "parse", per: "names", unit: "µs", points: read },
      { name: "first lookup", per: "names", unit: "µs", points: first },
      { name: "hit", per: "names", unit: "ns", peer: "dlsym", points: hits },
      { name: "hit, C strings ready", per: "names", unit: "ns", peer: "dlsym", points: ready },
      { name: "miss", per: "names", unit: "ns", peer: "dlsym", points: misses },
      { name: "memory beyond tables", per: "names", unit: "bytes", points: memory },
    ],
    skipped: collect === undefined ? ["memory: run with --v8-flags=--expose-gc"] : [],
  };
}

if (import.meta.main) console.log(table(await symbolBench()));
