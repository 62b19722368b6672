// Versions of a module from source text, compiled with the host's compiler and linked by this package.
import { linkObjects, type LinkOptions } from "../../src/link/linker.ts";
import { compile } from "./compilers.ts";

let count = 0;

/** Compiles and links a version of one or several sources; they are C++ if the compiler's name ends in `++`. */
export async function compiledVersion(
  folder: string,
  source: string | readonly string[],
  { name, compiler = "gcc", flags = ["-O2"], reloadable = true, link = {} }: {
    /**
     * The name of the only source, without its ending; default a new one for each. Two versions have the same static
     * functions only if their sources have the same name.
     */
    name?: string;
    compiler?: string;
    flags?: readonly string[];
    reloadable?: boolean;
    /** Further options of the link. */
    link?: LinkOptions;
  } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const objects = [];
  for (const text of typeof source === "string" ? [source] : source) {
    const file = `${name ?? `v${++count}`}.${compiler.endsWith("++") ? "cpp" : "c"}`;
    Deno.writeTextFileSync(`${folder}/${file}`, text);
    await compile(compiler, ["-fPIC", ...flags, "-c", file, "-o", `${file}.o`], folder);
    objects.push({ name: `${file}.o`, bytes: Deno.readFileSync(`${folder}/${file}.o`) });
  }
  return linkObjects(objects, { reloadable, ...link }).bytes as Uint8Array<ArrayBuffer>;
}
