// Loads one file and says how many milliseconds that took.
import { ModuleLoader } from "../../mod.ts";
import { time } from "./measure.ts";
import { cString, SystemLoader } from "./peers.ts";

const [kind, path] = Deno.args;
if (kind === "smf") {
  let module: Disposable;
  console.log(time(() => module = new ModuleLoader().load(path)));
  module![Symbol.dispose]();
} else {
  let system: SystemLoader;
  console.log(time(() => {
    system = new SystemLoader();
    system.open(cString(path));
  }));
}
