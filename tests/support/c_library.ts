/**
 * Modules whose functions are those of the C library.
 */
import { ModuleRegistry } from "../../mod.ts";
import { build } from "./modules.ts";

/** Builds a module whose functions, by their names, jump to those of the C library. */
export function cModule(names: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  return build({
    routines: Object.fromEntries(
      Object.entries(names).map(([name, of]) => [name, { hex: "ff 25 00 00 00 00", refersByGot: { 2: of } }]),
    ),
  });
}

/** Makes a registry whose modules find the C library. */
export function newCRegistry(): ModuleRegistry {
  return new ModuleRegistry({ libraries: [Deno.build.os === "windows" ? "ucrtbase.dll" : "libc.so.6"] });
}
