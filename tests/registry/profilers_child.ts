// Loads, reloads and calls a module that tells perf of its functions. Arguments: the module, the folder of the
// jitdump file (or nothing), and how long each version is called, in milliseconds.
import { ModuleRegistry } from "../../mod.ts";

const [path, jitdump, milliseconds] = Deno.args;
using registry = new ModuleRegistry({ perfMap: true, ...jitdump !== "" && { jitdump } });
const { symbols } = registry.open(path, { work: { parameters: ["u32"], result: "u32" } });
for (const version of [1, 2]) {
  const end = performance.now() + Number(milliseconds);
  do symbols.work(1000); while (performance.now() < end);
  if (version === 1) registry.reload(path);
}
console.log(Deno.pid);
