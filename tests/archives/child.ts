/**
 * Links one static archive whole, exports everything, and loads it. Prints one line of JSON after
 * each step, so that a process that dies tells how far it came.
 *
 * Arguments: the archive, then further archives and shared libraries that answer the names that it leaves open.
 */
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";

const LIBRARIES = ["libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6"];

/** Prints what a step found. */
function report(step: Record<string, unknown>): void {
  console.log(JSON.stringify(step));
}

/** Runs a step; reports its error and ends the process. */
function attempt<T>(step: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    report({ refused: step, reason: (error as Error).message });
    Deno.exit(0);
  }
}

const [archive, ...needs] = Deno.args;
const others = needs.filter((path) => path.endsWith(".a"));
const shared = needs.filter((path) => !path.endsWith(".a"));
const { bytes } = attempt("link", () =>
  linkObjects(
    [
      { name: archive, bytes: Deno.readFileSync(archive), whole: true },
      ...others.map((name) => ({ name, bytes: Deno.readFileSync(name), excluded: true })),
    ],
    // Other packages define the names that are left; their address is 0. Some archives have hidden names alone.
    { exports: ["*"], keep: ["*"], allowUndefined: ["*"], strip: true },
  ));
report({ linked: bytes.length });

const open = new Set<string>();
const registry = new ModuleRegistry({
  libraries: [...LIBRARIES, ...shared],
  resolver: (name) => {
    open.add(name);
    report({ open: open.size, names: [...open].slice(0, 2) });
    return undefined;
  },
});
const module = attempt("load", () => registry.loadBytes("archive", bytes));
report({ loaded: true });
attempt("close", () => {
  module.close();
  registry[Symbol.dispose]();
});
report({ closed: true });
