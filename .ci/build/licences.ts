/** The licences of the packages that are bundled. */
import { dirname, join, resolve } from "@std/path";
import { filesIn } from "./files.ts";
import { NPM_FILE, type SourceMap } from "./line_map.ts";

/** Writes a file with the licence of each package from which the bundles in `folder` have a file. */
export function copyLicences(folder: string, target: string): void {
  const found = new Map<string, string>();
  for (const map of filesIn(folder, ".map")) {
    const { sources }: SourceMap = JSON.parse(Deno.readTextFileSync(map));
    for (const source of sources) {
      const path = resolve(dirname(map), source).replaceAll("\\", "/");
      const [, name, version, file] = NPM_FILE.exec(path) ?? [];
      if (name !== undefined) found.set(`${name} ${version}`, path.slice(0, -file.length));
    }
  }
  const texts = [...found].sort().map(([name, path]) => `${name}\n\n${licenceIn(path, name).trim()}\n`);
  Deno.writeTextFileSync(target, texts.join(`\n${"-".repeat(80)}\n\n`));
}

/** The text of a package's licence. */
function licenceIn(folder: string, name: string): string {
  // The package of the standard library names the licence and leaves its text out.
  if (name.startsWith("deno-std ")) {
    return Deno.readTextFileSync(new URL("../std/LICENSE", import.meta.url));
  }
  const file = [...Deno.readDirSync(folder)].find((entry) => /^licen[cs]e/i.test(entry.name));
  if (file === undefined) throw new Error(`${name} has no licence that could be published with it`);
  return Deno.readTextFileSync(join(folder, file.name));
}
