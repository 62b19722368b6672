/**
 * Headers that are not there: where a compiler would look for the names that sources include, and find another file
 * than it has found, if there were one.
 */
import { basename, dirname, isAbsolute, join } from "../os/path.ts";
import { within } from "./files.ts";

/** A name that a source includes, embeds, or asks for; in quotes or angle brackets. */
const NAMES =
  /(?:^[ \t]*#[ \t]*(?:include|include_next|import|embed)|\b__has_(?:include(?:_next)?|embed)[ \t]*\()[ \t]*(["<])([^"<>\n]+)[">]/gm;

/** The options that name a folder of headers, of all compilers. */
const FOLDER_OPTION = /^(?:[-/]I|-iquote|-isystem|-idirafter|-imsvc|--include-directory=?)(.*)$/;

/**
 * Lists the paths where a new file may change what a source includes: for each name in it and in its headers, the
 * places in the folders that options name, and for names in quotes in the folders of these files, too. Of a path whose
 * folder is missing, the list has the first folder that is.
 *
 * @param files The source and its headers, without those of the system.
 * @param flags The flags of the compiler.
 * @param folder The folder that relative paths start at.
 * @param since Files that are newer than that, in milliseconds since 1970, count as missing. Default: none.
 */
export function absentHeaders(
  files: readonly string[],
  flags: readonly string[],
  folder: string,
  since = Infinity,
): string[] {
  const quoted = new Set<string>(), bracketed = new Set<string>();
  for (const file of files) {
    for (const [, mark, name] of textOf(within(folder, file)).matchAll(NAMES)) {
      if (!isAbsolute(name)) (mark === '"' ? quoted : bracketed).add(name);
    }
  }
  const named = includeFolders(flags), own = files.map(dirname);
  const known = new Set(files.map((file) => join(file)));
  const paths = new Set<string>();
  const add = (names: Iterable<string>, folders: Iterable<string>): void => {
    for (const start of new Set(folders)) {
      for (const name of names) {
        const path = join(start, name);
        if (!known.has(path)) paths.add(path);
      }
    }
  };
  add(bracketed, named);
  add(quoted, [...named, ...own]);
  const folders = new Map<string, boolean>();
  const isThere = (path: string): boolean => {
    let answer = folders.get(path);
    if (answer === undefined) folders.set(path, answer = modifiedAt(within(folder, path)) !== undefined);
    return answer;
  };
  const absent = new Set<string>();
  for (const path of paths) {
    if (isThere(dirname(path))) {
      const time = modifiedAt(within(folder, path));
      if (time === undefined || time > since) absent.add(path);
      continue;
    }
    let missing = dirname(path);
    while (missing !== dirname(missing) && !isThere(dirname(missing))) missing = dirname(missing);
    absent.add(missing);
  }
  return [...absent];
}

/** Whether one of the paths is there. Lists each folder once, since most names are not in it. */
export function isAnyThere(paths: readonly string[], folder: string): boolean {
  const names = new Map<string, Set<string>>();
  return paths.some((path) => {
    const parent = dirname(path);
    let list = names.get(parent);
    if (list === undefined) names.set(parent, list = namesIn(within(folder, parent)));
    // Some systems take small and capital letters for one another.
    return list.has(basename(path).toLowerCase()) &&
      modifiedAt(within(folder, path)) !== undefined;
  });
}

function includeFolders(flags: readonly string[]): string[] {
  return flags.flatMap((flag, index) => {
    const joined = FOLDER_OPTION.exec(flag)?.[1];
    const name = joined === "" ? flags[index + 1] : joined;
    return name === undefined || name === "" ? [] : [name];
  });
}

function namesIn(folder: string): Set<string> {
  try {
    return new Set([...Deno.readDirSync(folder)].map(({ name }) => name.toLowerCase()));
  } catch {
    // A folder that may not be read has no header for this process.
    return new Set();
  }
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    // It has just been removed; the cache keeps no result with it.
    return "";
  }
}

/** When a file or folder was modified, in milliseconds since 1970; undefined if it is not there. */
function modifiedAt(path: string): number | undefined {
  try {
    return Deno.statSync(path).mtime?.getTime() ?? 0;
  } catch {
    return undefined;
  }
}
