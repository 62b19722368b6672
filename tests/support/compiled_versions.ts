// Versions of a module from source text, compiled with the host's compiler and linked by this package.
import { linkObjects, type LinkOptions } from "../../src/link/linker.ts";
import { compile } from "./compilers.ts";

let count = 0;

/** Compiles and links a version; the source is C++ if the compiler is `g++` or `clang++`. */
export async function compiledVersion(
  folder: string,
  source: string,
  { compiler = "gcc", flags = ["-O2"], reloadable = true, link = {} }: {
    compiler?: "gcc" | "g++" | "clang++";
    flags?: readonly string[];
    reloadable?: boolean;
    /** Further options of the link. */
    link?: LinkOptions;
  } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const name = `v${++count}.${compiler === "gcc" ? "c" : "cpp"}`;
  Deno.writeTextFileSync(`${folder}/${name}`, source);
  await compile(compiler, ["-fPIC", ...flags, "-c", name, "-o", `${name}.o`], folder);
  const object = { name: `${name}.o`, bytes: Deno.readFileSync(`${folder}/${name}.o`) };
  return linkObjects([object], { reloadable, ...link }).bytes as Uint8Array<ArrayBuffer>;
}
