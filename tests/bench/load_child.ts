// Loads a file and prints the milliseconds.
import { ModuleLoader } from "../../mod.ts";
import { cString, SystemLoader } from "./peers.ts";

/** Measures wall-clock time, which needs no library to be opened before. */
function time(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

const [kind, path] = Deno.args;
if (kind === "smf") {
  let module: Disposable;
  console.log(time(() => void (module = new ModuleLoader().load(path))));
  module![Symbol.dispose]();
} else {
  let system: SystemLoader;
  console.log(time(() => {
    system = new SystemLoader();
    system.open(cString(path));
  }));
}
