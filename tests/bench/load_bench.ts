/**
 * Benchmarks loading a module against `dlopen` of a shared library made of the
 * same object: each file for the first time in the process, and in a new process.
 *
 * Run it alone with `deno run -A tests/bench/load_bench.ts`
 */
import { ModuleLoader } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { platformAllocator } from "../../src/os/memory/allocator.ts";
import { staticLibrary } from "../support/real_archives.ts";
import { BareLoader } from "./bare_load.ts";
import { median, paired, time } from "./measure.ts";
import { functionForms, NO_COMPILER } from "./objects.ts";
import { cString, NO_SYSTEM_LOADER, SystemLoader } from "./peers.ts";
import { type Point, type Report, type Series, table } from "./report.ts";

const COUNTS = [1, 100, 1000, 10_000];
const goalFor = (count: number) => count === 1 ? 1 : 0.6;

/** A shared library and a module with the same contents. */
interface Files {
  readonly library: string;
  readonly module: Uint8Array;
}

/** A loader, with the bytes and the suffix of its files. */
interface Loading<Loaded extends Disposable = Disposable> {
  readonly load: (path: string) => Loaded;
  readonly bytes: Uint8Array;
  readonly suffix: string;
}

/** Loading with `dlopen`. */
function systemLoading(
  system: SystemLoader,
  library: string,
): Loading<Disposable & { readonly handle: Deno.PointerObject }> {
  return {
    load(path) {
      const handle = system.open(cString(path));
      return { handle, [Symbol.dispose]: () => system.close(handle) };
    },
    bytes: Deno.readFileSync(library),
    suffix: "so",
  };
}

/** Times loading and closing copies of both files; each path is loaded once. */
function measureLoads(
  ours: Loading,
  peer: Loading,
  rounds: number,
  warmup: number,
): { load: Point; close: Point } {
  const folder = Deno.makeTempDirSync({ prefix: "smf_load_bench_" });
  const closings: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
  const timed = ({ load, bytes, suffix }: Loading, closing: number[]) => (round: number): number => {
    const path = `${folder}/${round}.${suffix}`;
    Deno.writeFileSync(path, bytes);
    let loaded: Disposable;
    const taken = time(() => loaded = load(path));
    closing.push(time(() => loaded[Symbol.dispose]()));
    Deno.removeSync(path);
    return taken;
  };
  try {
    const load = paired(
      { ours: timed(ours, closings.ours), peer: timed(peer, closings.peer) },
      rounds,
      warmup,
    );
    const last = (values: readonly number[]) => values.slice(-rounds);
    const [mine, theirs] = [median(last(closings.ours)), median(last(closings.peer))];
    return {
      load: { size: 0, ours: 1000 * load.ours, peer: 1000 * load.peer, ratio: load.ratio },
      close: { size: 0, ours: 1000 * mine, peer: 1000 * theirs, ratio: mine / theirs },
    };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Runs `load_child.ts`; returns the milliseconds that it prints. */
function child(...args: readonly string[]): number {
  const { stdout, stderr, success } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("./load_child.ts", import.meta.url).href, ...args],
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return Number(new TextDecoder().decode(stdout));
}

/** Compares the first load of sqlite3 in new processes that have a record of its checks with that in processes without. */
async function measureKnown(module: Uint8Array, rounds: number): Promise<Point> {
  const folder = Deno.makeTempDirSync({ prefix: "smf_load_bench_" });
  try {
    const path = `${folder}/known.smf`, cache = `${folder}/cache`;
    Deno.writeFileSync(path, module);
    // Only a file that has not changed for a second has a record.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    child("sqlite3", path, cache);
    const found = paired(
      { ours: () => child("sqlite3", path, cache), peer: () => child("sqlite3", path) },
      rounds,
    );
    return { size: module.length, ours: 1000 * found.ours, peer: 1000 * found.peer, ratio: found.ratio };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Times the first load of new processes, including libraries of the system, without the start of the program. */
function measureCold({ library, module }: Files, rounds: number): Point {
  const folder = Deno.makeTempDirSync({ prefix: "smf_load_bench_" });
  try {
    const path = `${folder}/cold.smf`;
    Deno.writeFileSync(path, module);
    const found = paired({ ours: () => child("smf", path), peer: () => child("so", library) }, rounds);
    return { size: 0, ours: 1000 * found.ours, peer: 1000 * found.peer, ratio: found.ratio };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A real library in both forms; a reason if it cannot be built. */
async function realForms(file: string, debian: string): Promise<Files & Disposable | string> {
  const archive = staticLibrary(file);
  if (archive === undefined) return `${file}: Debian's ${debian} is not installed`;
  using stack = new DisposableStack();
  const folder = Deno.makeTempDirSync({ prefix: "smf_load_bench_" });
  stack.defer(() => Deno.removeSync(folder, { recursive: true }));
  Deno.writeFileSync(`${folder}/${file}`, archive);
  const args = [
    "-shared",
    "-Wl,-Bsymbolic",
    "-Wl,--whole-archive",
    file,
    "-Wl,--no-whole-archive",
    "-lm",
    "-o",
    "real.so",
  ];
  try {
    const { success, stderr } = await new Deno.Command("cc", { args, cwd: folder }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return NO_COMPILER;
    throw error;
  }
  const { bytes } = linkObjects([{ name: file, bytes: archive }], { exports: ["sqlite3_*"] });
  const owned = stack.move();
  return { library: `${folder}/real.so`, module: bytes, [Symbol.dispose]: () => owned.dispose() };
}

/** Runs the benchmark. */
export async function loadBench(rounds = 101): Promise<Report> {
  const title = "load";
  if (NO_SYSTEM_LOADER !== undefined) return { title, series: [], skipped: [NO_SYSTEM_LOADER] };
  const system = new SystemLoader();
  using bare = new BareLoader();
  using _retained = platformAllocator().retain?.();
  const loader = new ModuleLoader();
  const skipped: string[] = [];
  const warm: Point[] = [], close: Point[] = [], cold: Point[] = [], least: Point[] = [];
  for (const count of COUNTS) {
    using forms = await functionForms(count);
    if (forms === undefined) return { title, series: [], skipped: [NO_COMPILER] };
    const { library, module: bytes } = forms;
    // Warm-up lets V8 compile the code; the cold series measures a program's first load.
    const warmup = rounds * (count === 1 ? 40 : count < 1000 ? 10 : 2);
    const smf = { load: (path: string) => loader.load(path), bytes, suffix: "smf" };
    const peer = systemLoading(system, library);
    const found = measureLoads(smf, peer, rounds, warmup);
    warm.push({ ...found.load, size: count, goal: goalFor(count) });
    close.push({ ...found.close, size: count });
    cold.push({ ...measureCold(forms, 9), size: count });
    const floor = measureLoads({ ...smf, load: (path) => bare.load(path) }, peer, rounds, warmup);
    least.push({ ...floor.load, size: count });
  }
  const common = { per: "functions", unit: "µs", peer: "dlopen" } as const;
  const series: Series[] = [
    { ...common, name: "load, warm", points: warm },
    { ...common, name: "close, warm", peer: "dlclose", points: close },
    { ...common, name: "first load of a process", points: cold },
    { ...common, name: "bare operations", points: least },
  ];
  const real = await realForms("libsqlite3.a", "libsqlite3-dev");
  if (typeof real === "string") skipped.push(`the real library: ${real}`);
  else {
    using files = real;
    const { library, module: bytes } = files;
    const peer = systemLoading(system, library);
    // The process provides its imports, as it does for dlopen.
    using process = peer.load("libm.so.6");
    const resolver = (name: string) => system.find(process.handle, cString(name)) || null;
    const smf = { load: (path: string) => loader.load(path, resolver), bytes, suffix: "smf" };
    const turns = Math.ceil(rounds / 3);
    const { load } = measureLoads(smf, peer, turns, rounds);
    const floor = measureLoads({ ...smf, load: (path) => bare.load(path) }, peer, turns, rounds);
    const size = bytes.length;
    series.push(
      { ...common, name: "sqlite3, warm", per: "bytes", points: [{ ...load, size, goal: 0.6 }] },
      { ...common, name: "sqlite3, bare operations", per: "bytes", points: [{ ...floor.load, size }] },
      {
        ...common,
        name: "sqlite3, first load with a cache",
        per: "bytes",
        peer: "without",
        points: [await measureKnown(bytes, 9)],
      },
    );
  }
  return { title, series, skipped };
}

if (import.meta.main) console.log(table(await loadBench()));
