/**
 * Takes a module through versions with `state: "carry"` and prints, as JSON, the
 * results of calls after each load, and the reports. Arguments: the functions to
 * call, separated by commas, and the files. Each version ends after a reload.
 */
import { type LoadedModule, ModuleRegistry } from "../../mod.ts";
import { INT } from "../support/versions.ts";

const [names, ...files] = Deno.args;
const results: unknown[] = [];
let last: LoadedModule | undefined;
{
  using registry = new ModuleRegistry({
    libraries: ["libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6"],
    keepVersions: 0,
  });
  for (const file of files) {
    const bytes = Deno.readFileSync(file);
    const module = results.length === 0
      ? registry.loadBytes("m", bytes)
      : registry.reload("m", { bytes, state: "carry" });
    // The old version ends here: its destructors run before the new one is called.
    last?.close();
    last = module;
    const answers = names.split(",").map((name) => module.getFunction(name, INT)!());
    const { carried, fresh } = module.carried ?? {};
    results.push({ answers, carried, fresh });
  }
}
console.log(JSON.stringify(results));
