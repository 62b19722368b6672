/** Compiles versions of generated programs, many in one process, and links them. */

import { dirname, join } from "@std/path";
import { linkObjects } from "../../../src/link/linker.ts";
import type { LinkInput } from "../../../src/link/resolve.ts";
import { compile } from "../../support/compilers.ts";
import type { SourceText } from "./print.ts";

/** How a version is compiled. */
export interface Build {
  readonly compiler: string;
  readonly flags: readonly string[];
}

/** A version to compile: its files in the order of the link. */
export interface Source {
  readonly build: Build;
  readonly files: readonly SourceText[];
}

/** Compiles sources, each with paths relative to a folder of its own, and links each to a reloadable module. */
export async function buildAll(
  folder: string,
  sources: readonly Source[],
): Promise<Uint8Array<ArrayBuffer>[]> {
  const objects = await compileAll(folder, sources);
  return objects.map((each) => linkObjects(each, { reloadable: true }).bytes as Uint8Array<ArrayBuffer>);
}

/** Compiles sources, each with paths relative to a folder of its own; returns the objects of each. */
export async function compileAll(folder: string, sources: readonly Source[]): Promise<LinkInput[][]> {
  const lines: string[] = ["set -e"];
  sources.forEach(({ build, files }, number) => {
    lines.push(`cd ${join(folder, String(number), "/")}`);
    for (const { path, text } of files) {
      const file = join(folder, String(number), path);
      Deno.mkdirSync(dirname(file), { recursive: true });
      Deno.writeTextFileSync(file, text);
      lines.push(`${build.compiler} -w -fPIC ${build.flags.join(" ")} -c ${path} -o ${path}.o`);
    }
  });
  const script = join(folder, "compile.sh");
  Deno.writeTextFileSync(script, lines.join("\n"));
  await compile("sh", [script], folder);
  return sources.map(({ files }, number) =>
    files.map(({ path }) => ({
      name: `${path}.o`,
      bytes: Deno.readFileSync(join(folder, String(number), `${path}.o`)),
    }))
  );
}
