/**
 * The files that an object is made of: rules for make that compilers write, the list that cl writes, and the imports of
 * Zig sources.
 */
import { dirname, join } from "../os/path.ts";
import { within } from "./files.ts";

/**
 * Reads the prerequisites of all rules of a file for make, as `-MF` and `--emit=dep-info` write it. In names, `\ `
 * is a space, `\#` a hash sign and `$$` a dollar sign; `\` at the end of a line continues it.
 */
export function readRules(text: string): string[] {
  const files = new Set<string>();
  for (const line of text.replace(/\\\r?\n/g, " ").split(/\r?\n/)) {
    if (line.startsWith("#")) continue;
    // The colon of a drive letter is followed by a slash.
    const colon = /:(?=\s|$)/.exec(line);
    if (colon === null) continue;
    for (const [name] of line.slice(colon.index + 1).matchAll(/(?:\\[ #]|\S)+/g)) {
      files.add(name.replace(/\\([ #])/g, "$1").replaceAll("$$", "$"));
    }
  }
  return [...files];
}

/**
 * Reads the headers that cl lists with `/sourceDependencies`, without those of the system: those in the folders that
 * the environment variable `INCLUDE` names, and all that this process may not read.
 */
export function readSourceDependencies(text: string): string[] {
  const { Data: { Includes = [] } }: { Data: { Includes?: readonly string[] } } = JSON.parse(text);
  const { state } = Deno.permissions.querySync({ name: "env", variable: "INCLUDE" });
  const folders = (state === "granted" ? Deno.env.get("INCLUDE") ?? "" : "").split(";")
    .filter((folder) => folder !== "").map((folder) => canonical(folder).replace(/\/?$/, "/"));
  return Includes.filter((path) =>
    !folders.some((folder) => canonical(path).startsWith(folder)) &&
    Deno.permissions.querySync({ name: "read", path }).state === "granted"
  );
}

/** A path of Windows as it may be compared: cl writes small letters. */
function canonical(path: string): string {
  return path.replaceAll("\\", "/").toLowerCase();
}

/**
 * Lists the files that a Zig source imports or embeds, directly or through others. Zig 0.11 does not list them.
 *
 * @param folder The folder that a relative path starts at.
 */
export function zigImports(path: string, folder: string): string[] {
  const files = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    let text: string;
    try {
      text = Deno.readTextFileSync(within(folder, file));
    } catch (error) {
      // Names of packages, such as `std`, are not files, and neither is text in a comment.
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    files.add(file);
    for (const [, name] of text.matchAll(/@(?:import|embedFile|cInclude)\(\s*"([^"\\]+)"\s*\)/g)) {
      visit(join(dirname(file), name));
    }
  };
  visit(path);
  return [...files];
}
