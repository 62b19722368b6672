// Loads a file and prints the milliseconds.
import { ModuleLoader } from "../../mod.ts";
import { processTime } from "./measure.ts";
import { cString, SystemLoader } from "./peers.ts";

/** Measures wall-clock time, which needs no library to be opened before. */
function time(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

const [kind, path, cache] = Deno.args;
if (kind === "smf") {
  let module: Disposable;
  console.log(time(() => void (module = new ModuleLoader().load(path))));
  module![Symbol.dispose]();
} else if (kind === "sqlite3") {
  // The process provides its imports.
  const system = new SystemLoader();
  const process = system.open(cString("libm.so.6"));
  const resolver = (name: string) => system.find(process, cString(name)) || null;
  let module: Disposable;
  const load = () =>
    void (module = new ModuleLoader(cache === undefined ? {} : { cache }).load(path, resolver));
  console.log(processTime(load));
  module![Symbol.dispose]();
  system.close(process);
} else {
  let system: SystemLoader;
  console.log(time(() => {
    system = new SystemLoader();
    system.open(cString(path));
  }));
}
