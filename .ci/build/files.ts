/** Files of the build, by the endings of their names. */
import { join } from "@std/path";

/** The paths of all files in a folder, and in the folders inside, whose names have an ending. */
export function filesIn(folder: string, ending: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? filesIn(path, ending) : name.endsWith(ending) ? [path] : [];
  });
}
