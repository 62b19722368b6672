/**
 * Binding functions of a module against opening a shared library with the same
 * definitions.
 *
 * Alone: `deno run -A tests/bench/bind_bench.ts`
 */
import { ModuleLoader } from "../../mod.ts";
import { platformAllocator } from "../../src/memory/allocator.ts";
import { holdStubMaker } from "../../src/call/stub_library.ts";
import { type Paired, paired, time } from "./measure.ts";
import { functionForms, NO_COMPILER } from "./objects.ts";
import { NO_SYSTEM_LOADER } from "./peers.ts";
import { type Point, type Report, table } from "./report.ts";

const COUNTS = [1, 10, 100, 1000];

/** Measures binding. */
export async function bindBench(rounds = 51): Promise<Report> {
  const title = "bind";
  if (NO_SYSTEM_LOADER !== undefined) return { title, series: [], skipped: [NO_SYSTEM_LOADER] };
  using _retained = platformAllocator().retain?.();
  using _stubs = holdStubMaker();
  const points: Point[] = [], all: Point[] = [];
  for (const count of COUNTS) {
    using forms = await functionForms(count);
    if (forms === undefined) return { title, series: [], skipped: [NO_COMPILER] };
    const definition = { parameters: ["i32", "i32"], result: "i32" } as const;
    const definitions = Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`function_${index}`, definition]),
    );
    const loader = new ModuleLoader();
    const turns = count >= 1000 ? Math.ceil(rounds / 3) : rounds;
    const warmup = Math.max(5, Math.ceil(500 / count));
    const each = 1000 / count;
    const point = ({ ours, peer, ratio }: Paired): Point => (
      { size: count, ours: each * ours, peer: each * peer, ratio, goal: 1 }
    );
    const open = () => Deno.dlopen(forms.library, definitions);
    const held = Deno.dlopen(forms.library, {});
    points.push(point(paired(
      {
        ours() {
          using module = loader.loadBytes(forms.module);
          return time(() => module.bind(definitions));
        },
        peer() {
          // The system's loader has it already, as ours has: what is left is what Deno does.
          let library: ReturnType<typeof open>;
          const taken = time(() => library = open());
          library!.close();
          return taken;
        },
      },
      turns,
      warmup,
    )));
    held.close();
    all.push(point(paired(
      {
        ours: () =>
          time(() => {
            using module = loader.loadBytes(forms.module);
            callAll(module.bind(definitions).symbols as Functions);
          }),
        peer: () =>
          time(() => {
            const library = open();
            callAll(library.symbols as Functions);
            library.close();
          }),
      },
      turns,
      warmup,
    )));
  }
  const common = { per: "functions", unit: "µs", peer: "Deno.dlopen" } as const;
  return {
    title,
    series: [
      { ...common, name: "bind, each", points },
      { ...common, name: "load, bind, call once, close, each", points: all },
    ],
    skipped: [],
  };
}

type Functions = Record<string, (a: number, b: number) => unknown>;

function callAll(symbols: Functions): void {
  for (const name in symbols) symbols[name](1, 2);
}

if (import.meta.main) console.log(table(await bindBench()));
