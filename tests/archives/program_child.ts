/**
 * Links an object with archives, loads the module, and prints what its function `check` returns.
 *
 * Arguments: `--pin` if threads stay in the module, then the object and the archives.
 */
import { ModuleRegistry } from "../../mod.ts";
import { linkObjects } from "../../src/link/linker.ts";

const pin = Deno.args[0] === "--pin";
const inputs = Deno.args.slice(pin ? 1 : 0).map((name) => ({ name, bytes: Deno.readFileSync(name) }));
const { bytes } = linkObjects(inputs, { exports: ["check"] });
using registry = new ModuleRegistry({
  libraries: ["libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6"],
});
using module = registry.loadBytes("program", bytes, { pin });
const { check } = module.bind({ check: { parameters: [], result: "i32" } }).symbols;
console.log(`check() = ${check()}`);
