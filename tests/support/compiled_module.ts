// C and C++ of a test, compiled and linked to a module, and called in a process of its own.
import { linkObjects, type LinkOptions } from "../../src/link/mod.ts";
import { compile } from "./compilers.ts";
import { runChild } from "./modules.ts";

/** How {@linkcode compileModule} makes a module. */
export interface ModuleRecipe {
  /** Options of the compiler beside `-c`. */
  readonly flags?: readonly string[];
  /** `c` or `cpp`. */
  readonly language?: "c" | "cpp";
  readonly link?: LinkOptions;
  /** More inputs of the linker. */
  readonly archives?: readonly string[];
}

/** Compiles a source in a folder and links it; the module's path. */
export async function compileModule(
  folder: string,
  name: string,
  source: string,
  { flags = ["-O2", "-fPIC"], language = "c", link = { reloadable: true }, archives = [] }: ModuleRecipe = {},
): Promise<string> {
  const file = `${folder}/${name}.${language}`;
  Deno.writeTextFileSync(file, source);
  await compile(language === "c" ? "gcc" : "g++", [...flags, "-c", file, "-o", `${folder}/${name}.o`]);
  const inputs = [`${folder}/${name}.o`, ...archives].map((path) => ({
    name: path,
    bytes: Deno.readFileSync(path),
  }));
  const path = `${folder}/${name}.smf`;
  Deno.writeFileSync(path, linkObjects(inputs, link).bytes);
  return path;
}

/** What a child process does with modules, one step after the other. */
export interface ModulePlan {
  /** Loaded in this order, by one registry. */
  readonly modules: readonly string[];
  readonly libraries?: readonly string[];
  /** Functions of the last module, `int32_t f(void)`; the child prints each result on a line. */
  readonly calls: readonly string[];
}

/** Loads modules in a process of its own, calls functions, closes all, and prints `closed`. */
export function runModules(
  plan: ModulePlan,
  env: Record<string, string> = {},
): ReturnType<typeof runChild> {
  const script = new URL("./compiled_module_child.ts", import.meta.url);
  return runChild(script, { args: [JSON.stringify(plan)], env });
}
