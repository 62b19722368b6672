// Binds the functions of a file for the first time in this process, calls each once, and prints the milliseconds.
import { ModuleLoader } from "../../mod.ts";

/** Measures wall-clock time, which needs no library to be opened before. */
function time(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

const [kind, path, count] = Deno.args;
const definition = { parameters: ["i32", "i32"], result: "i32" } as const;
const definitions = Object.fromEntries(
  Array.from({ length: Number(count) }, (_, index) => [`function_${index}`, definition]),
);

type Functions = Record<string, (a: number, b: number) => unknown>;

function callAll(symbols: Functions): void {
  for (const name in symbols) symbols[name](1, 2);
}

if (kind === "smf") {
  using module = new ModuleLoader().load(path);
  console.log(time(() => callAll(module.bind(definitions).symbols as Functions)));
} else {
  // The library is loaded before the measurement, as the module is.
  const held = Deno.dlopen(path, {});
  let library: ReturnType<typeof Deno.dlopen<typeof definitions>>;
  console.log(time(() => {
    library = Deno.dlopen(path, definitions);
    callAll(library.symbols as Functions);
  }));
  library!.close();
  held.close();
}
