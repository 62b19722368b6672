/**
 * Benchmarks binding the functions of a module against opening a shared library
 * with the same definitions.
 *
 * Run it alone with `deno run -A tests/bench/bind_bench.ts`
 */
import { type CallPath, ModuleLoader } from "../../mod.ts";
import { platformAllocator } from "../../src/os/memory/allocator.ts";
import { holdStubMaker } from "../../src/call/stub/library.ts";
import { type Pair, type Paired, paired, time } from "./measure.ts";
import { functionForms, NO_COMPILER } from "./objects.ts";
import { NO_SYSTEM_LOADER } from "./peers.ts";
import { type Point, type Report, type Series, table } from "./report.ts";

const COUNTS = [1, 10, 100, 1000];
const DEFINITION = { parameters: ["i32", "i32"], result: "i32" } as const;
/** Enough calls for V8 to compile every function. */
const MANY_CALLS = 1000;
const COLD_ROUNDS = 9;

type Definitions = Record<string, typeof DEFINITION>;
type Functions = Record<string, (a: number, b: number) => unknown>;

/** A module and a shared library with the same functions. */
interface Files {
  readonly module: string;
  readonly library: string;
  readonly definitions: Definitions;
}

function callAll(symbols: unknown, calls = 1): void {
  const functions = Object.values(symbols as Functions);
  for (let round = 0; round < calls; round++) for (const call of functions) call(1, 2);
}

/** Binding alone: both files are loaded already. */
function bindOnly({ module, library, definitions }: Files, callPath: CallPath): Pair {
  const loader = new ModuleLoader({ callPath });
  return {
    ours() {
      using loaded = loader.load(module);
      return time(() => loaded.bind(definitions));
    },
    peer() {
      const held = Deno.dlopen(library, {});
      let opened: Deno.DynamicLibrary<Definitions>;
      const taken = time(() => opened = Deno.dlopen(library, definitions));
      opened!.close();
      held.close();
      return taken;
    },
  };
}

/** Loading, binding, calling and closing. */
function wholeLife({ module, library, definitions }: Files, calls: number): Pair {
  const loader = new ModuleLoader();
  return {
    ours: () =>
      time(() => {
        using loaded = loader.load(module);
        callAll(loaded.bind(definitions).symbols, calls);
      }),
    peer: () =>
      time(() => {
        const opened = Deno.dlopen(library, definitions);
        callAll(opened.symbols, calls);
        opened.close();
      }),
  };
}

/** Repetitions averaged into one sample, because some work is done once for several binds. */
const REPEATS = 8;

function averaged({ ours, peer }: Pair): Pair {
  const mean = (run: (round: number) => number) => (round: number) => {
    let sum = 0;
    for (let repeat = 0; repeat < REPEATS; repeat++) sum += run(round);
    return sum / REPEATS;
  };
  return { ours: mean(ours), peer: mean(peer) };
}

/** The first bind of a new process that has loaded the file already, in wall-clock time. */
function firstOfProcess({ module, library, definitions }: Files): Pair {
  const child = (kind: string, file: string): number => {
    const script = new URL("./bind_child.ts", import.meta.url).href;
    const args = ["run", "-A", "--no-check", script, kind, file, `${Object.keys(definitions).length}`];
    const { stdout, stderr, success } = new Deno.Command(Deno.execPath(), { args }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return Number(new TextDecoder().decode(stdout));
  };
  return { ours: () => child("smf", module), peer: () => child("so", library) };
}

/** Runs the benchmark. */
export async function bindBench(rounds = 51): Promise<Report> {
  const title = "bind";
  if (NO_SYSTEM_LOADER !== undefined) return { title, series: [], skipped: [NO_SYSTEM_LOADER] };
  using _retained = platformAllocator().retain?.();
  using _stubs = holdStubMaker();
  const [bind, fast, once, often, first]: Point[][] = [[], [], [], [], []];
  for (const count of COUNTS) {
    using forms = await functionForms(count);
    if (forms === undefined) return { title, series: [], skipped: [NO_COMPILER] };
    const folder = Deno.makeTempDirSync({ prefix: "smf_bind_bench_" });
    try {
      const files: Files = {
        module: `${folder}/functions.smf`,
        library: forms.library,
        definitions: Object.fromEntries(
          Array.from({ length: count }, (_, index) => [`function_${index}`, DEFINITION]),
        ),
      };
      Deno.writeFileSync(files.module, forms.module);
      const point = ({ ours, peer, ratio }: Paired): Point => (
        { size: count, ours: 1000 / count * ours, peer: 1000 / count * peer, ratio }
      );
      const turns = count >= 1000 ? Math.ceil(rounds / 5) : rounds;
      // Warm-up lets V8 compile the code; the cold series measures a program's first bind.
      const warmup = Math.max(5, Math.ceil(500 / count));
      const few = Math.max(3, Math.ceil(turns / Math.sqrt(count)));
      bind.push({ ...point(paired(averaged(bindOnly(files, "auto")), turns, warmup)), goal: 1 });
      fast.push(point(paired(bindOnly(files, "fast"), turns, warmup)));
      once.push({ ...point(paired(averaged(wholeLife(files, 1)), turns, warmup)), goal: 1 });
      often.push(point(paired(wholeLife(files, MANY_CALLS), few, few)));
      first.push(point(paired(firstOfProcess(files), COLD_ROUNDS)));
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  }
  const common = { per: "functions", unit: "µs", peer: "Deno.dlopen" } as const;
  const series: Series[] = [
    { ...common, name: "bind, each", points: bind },
    { ...common, name: "bind with callPath fast, each", points: fast },
    { ...common, name: "load, bind, call once, close, each", points: once },
    { ...common, name: `load, bind, call ${MANY_CALLS} times, close, each`, points: often },
    { ...common, name: "first bind of a process, called once, each", points: first },
  ];
  return { title, series, skipped: [] };
}

if (import.meta.main) console.log(table(await bindBench()));
