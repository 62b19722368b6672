// Versions of a module from source text, compiled with the host's compiler and linked by this package.
import { linkObjects, type LinkOptions } from "../../src/link/linker.ts";
import { compile } from "./compilers.ts";

let count = 0;

/** Compiles and links a version of one or several sources; they are C++ if the compiler is `g++` or `clang++`. */
export async function compiledVersion(
  folder: string,
  source: string | readonly string[],
  { compiler = "gcc", flags = ["-O2"], reloadable = true, link = {} }: {
    compiler?: "gcc" | "g++" | "clang++";
    flags?: readonly string[];
    reloadable?: boolean;
    /** Further options of the link. */
    link?: LinkOptions;
  } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const objects = [];
  for (const text of typeof source === "string" ? [source] : source) {
    const name = `v${++count}.${compiler === "gcc" ? "c" : "cpp"}`;
    Deno.writeTextFileSync(`${folder}/${name}`, text);
    await compile(compiler, ["-fPIC", ...flags, "-c", name, "-o", `${name}.o`], folder);
    objects.push({ name: `${name}.o`, bytes: Deno.readFileSync(`${folder}/${name}.o`) });
  }
  return linkObjects(objects, { reloadable, ...link }).bytes as Uint8Array<ArrayBuffer>;
}
