// Finds the programs of a folder.
import { fromFileUrl, relative } from "@std/path";

/** Every source file below a folder, by path, with its name relative to the folder. */
export function walkSources(folder: string | URL): { name: string; path: string }[] {
  const root = Deno.realPathSync(folder instanceof URL ? fromFileUrl(folder) : folder);
  const below = (path: string): string[] =>
    [...Deno.readDirSync(path)].flatMap(({ name, isDirectory }) =>
      isDirectory ? below(`${path}/${name}`) : /\.(?:c|cpp|cc|C)$/.test(name) ? [`${path}/${name}`] : []
    );
  return below(root).sort().map((path) => ({ name: relative(root, path), path }));
}
