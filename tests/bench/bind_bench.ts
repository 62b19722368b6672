/**
 * Binding functions of a module against opening a shared library with the same
 * definitions.
 *
 * Alone: `deno run -A tests/bench/bind_bench.ts`
 */
import { ModuleLoader } from "../../mod.ts";
import { platformAllocator } from "../../src/memory/allocator.ts";
import { holdStubMaker } from "../../src/call/stub_library.ts";
import { paired, time } from "./measure.ts";
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
  const points: Point[] = [], first: Point[] = [];
  for (const count of COUNTS) {
    using forms = await functionForms(count);
    if (forms === undefined) return { title, series: [], skipped: [NO_COMPILER] };
    const definition = { parameters: ["i32", "i32"], result: "i32" } as const;
    const definitions = Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`function_${index}`, definition]),
    );
    const loader = new ModuleLoader();
    const measure = (use: (symbols: Record<string, (...parameters: never[]) => unknown>) => void) =>
      paired(
        {
          ours() {
            using module = loader.loadBytes(forms.module);
            return time(() => use(module.bind(definitions).symbols as never));
          },
          peer() {
            // The system's loader has it already, as ours has: what is left is what Deno does.
            let library: Deno.DynamicLibrary<typeof definitions>;
            const taken = time(() =>
              use((library = Deno.dlopen(forms.library, definitions)).symbols as never)
            );
            library!.close();
            return taken;
          },
        },
        count >= 1000 ? Math.ceil(rounds / 3) : rounds,
        5,
      );
    const held = Deno.dlopen(forms.library, {});
    for (const [into, use] of [[points, () => {}], [first, callAll]] as const) {
      const found = measure(use);
      const each = 1000 / count;
      into.push({
        size: count,
        ours: each * found.ours,
        peer: each * found.peer,
        ratio: found.ratio,
        goal: 1,
      });
    }
    held.close();
  }
  const common = { per: "functions", unit: "µs", peer: "Deno.dlopen" } as const;
  return {
    title,
    series: [
      { ...common, name: "bind, each", points },
      { ...common, name: "bind and call once, each", points: first },
    ],
    skipped: [],
  };
}

function callAll(symbols: Record<string, (...parameters: never[]) => unknown>): void {
  for (const name in symbols) (symbols[name] as (a: number, b: number) => unknown)(1, 2);
}

if (import.meta.main) console.log(table(await bindBench()));
