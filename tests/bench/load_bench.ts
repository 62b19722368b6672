/**
 * Loading a module against `dlopen` of a shared library made of the same
 * object, each file for the first time in the process, and in a new process.
 *
 * Alone: `deno run -A tests/bench/load_bench.ts`
 */
import { ModuleLoader } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";
import { platformAllocator } from "../../src/memory/allocator.ts";
import { staticLibrary } from "../link/real_archives.ts";
import { median, paired, time } from "./measure.ts";
import { functionForms, NO_COMPILER } from "./objects.ts";
import { cString, NO_SYSTEM_LOADER, SystemLoader } from "./peers.ts";
import { type Point, type Report, type Series, table } from "./report.ts";

const COUNTS = [1, 100, 1000, 10_000];
const goalFor = (count: number) => count === 1 ? 1 : 0.6;

/** What is loaded: a file of each kind. */
interface Files {
  readonly library: string;
  readonly module: Uint8Array;
}

/** Loads copies of both, each path once; `close` are the times of closing. */
function measureLoads(
  { library, module }: Files,
  rounds: number,
  warmup: number,
): { load: Point; close: Point } {
  const folder = Deno.makeTempDirSync({ prefix: "smf_load_bench_" });
  using system = new SystemLoader();
  using _retained = platformAllocator().retain?.();
  const loader = new ModuleLoader();
  try {
    const closings: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
    const load = paired(
      {
        ours(round) {
          const path = `${folder}/${round}.smf`;
          Deno.writeFileSync(path, module);
          let handle: Disposable;
          const taken = time(() => handle = loader.load(path));
          closings.ours.push(time(() => handle[Symbol.dispose]()));
          Deno.removeSync(path);
          return taken;
        },
        peer(round) {
          const path = `${folder}/${round}.so`;
          Deno.copyFileSync(library, path);
          const name = cString(path);
          let handle: Deno.PointerObject;
          const taken = time(() => handle = system.open(name));
          closings.peer.push(time(() => system.close(handle)));
          Deno.removeSync(path);
          return taken;
        },
      },
      rounds,
      warmup,
    );
    const last = (values: readonly number[]) => values.slice(-rounds);
    const ours = median(last(closings.ours)), peer = median(last(closings.peer));
    return {
      load: { size: 0, ours: 1000 * load.ours, peer: 1000 * load.peer, ratio: load.ratio },
      close: { size: 0, ours: 1000 * ours, peer: 1000 * peer, ratio: ours / peer },
    };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The first load of new processes, libraries of the system included, program start not. */
function measureCold({ library, module }: Files, rounds: number): Point {
  const folder = Deno.makeTempDirSync({ prefix: "smf_load_bench_" });
  try {
    const path = `${folder}/cold.smf`;
    Deno.writeFileSync(path, module);
    const child = (kind: string, file: string): number => {
      const args = ["run", "-A", "--no-check", new URL("./load_child.ts", import.meta.url).href, kind, file];
      const { stdout, stderr, success } = new Deno.Command(Deno.execPath(), { args }).outputSync();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
      return Number(new TextDecoder().decode(stdout));
    };
    const found = paired({ ours: () => child("smf", path), peer: () => child("so", library) }, rounds);
    return { size: 0, ours: 1000 * found.ours, peer: 1000 * found.peer, ratio: found.ratio };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A real library in both forms; the reason if it cannot be made. */
async function realForms(file: string, debian: string): Promise<Files & Disposable | string> {
  const archive = staticLibrary(file);
  if (archive === undefined) return `${file}: Debian's ${debian} is not installed`;
  const folder = Deno.makeTempDirSync({ prefix: "smf_load_bench_" });
  const remove = () => Deno.removeSync(folder, { recursive: true });
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
    remove();
    if (error instanceof Deno.errors.NotFound) return NO_COMPILER;
    throw error;
  }
  const { bytes } = linkObjects([{ name: file, bytes: archive }], { exports: ["sqlite3_*"] });
  return { library: `${folder}/real.so`, module: bytes, [Symbol.dispose]: remove };
}

/** The real library's imports are answered by the process, as dlopen answers them. */
function measureReal({ library, module }: Files, rounds: number): Point {
  using system = new SystemLoader();
  using _retained = platformAllocator().retain?.();
  const process = system.open(cString("libm.so.6"));
  const resolver = (name: string) => system.find(process, cString(name)) || null;
  const folder = Deno.makeTempDirSync({ prefix: "smf_load_bench_" });
  const loader = new ModuleLoader();
  try {
    const found = paired(
      {
        ours(round) {
          const path = `${folder}/${round}.smf`;
          Deno.writeFileSync(path, module);
          let handle: Disposable;
          const taken = time(() => handle = loader.load(path, resolver));
          handle![Symbol.dispose]();
          Deno.removeSync(path);
          return taken;
        },
        peer(round) {
          const path = `${folder}/${round}.so`;
          Deno.copyFileSync(library, path);
          const name = cString(path);
          let handle: Deno.PointerObject;
          const taken = time(() => handle = system.open(name));
          system.close(handle!);
          Deno.removeSync(path);
          return taken;
        },
      },
      rounds,
      rounds,
    );
    return { size: module.length, ours: 1000 * found.ours, peer: 1000 * found.peer, ratio: found.ratio };
  } finally {
    system.close(process);
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Measures loads. */
export async function loadBench(rounds = 101): Promise<Report> {
  const title = "load";
  if (NO_SYSTEM_LOADER !== undefined) return { title, series: [], skipped: [NO_SYSTEM_LOADER] };
  const skipped: string[] = [];
  const warm: Point[] = [], close: Point[] = [], cold: Point[] = [];
  for (const count of COUNTS) {
    using forms = await functionForms(count);
    if (forms === undefined) return { title, series: [], skipped: [NO_COMPILER] };
    // V8 compiles what runs often: what a program loads first is measured by the cold series.
    const found = measureLoads(forms, rounds, rounds * (count === 1 ? 40 : count < 1000 ? 10 : 2));
    warm.push({ ...found.load, size: count, goal: goalFor(count) });
    close.push({ ...found.close, size: count });
    cold.push({ ...measureCold(forms, 9), size: count });
  }
  const common = { per: "functions", unit: "µs", peer: "dlopen" } as const;
  const series: Series[] = [
    { ...common, name: "load, warm", points: warm },
    { ...common, name: "close, warm", peer: "dlclose", points: close },
    { ...common, name: "first load of a process", points: cold },
  ];
  const real = await realForms("libsqlite3.a", "libsqlite3-dev");
  if (typeof real === "string") skipped.push(`the real library: ${real}`);
  else {
    using files = real;
    const point = { ...measureReal(files, Math.ceil(rounds / 3)), goal: 0.6 };
    series.push({ ...common, name: "sqlite3, warm", per: "bytes", points: [point] });
  }
  return { title, series, skipped };
}

if (import.meta.main) console.log(table(await loadBench()));
