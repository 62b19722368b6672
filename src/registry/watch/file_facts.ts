/**
 * Facts that the system tells of files, for folders whose changes nobody tells.
 */

import { dirname } from "../../os/path.ts";

/** The names of a file, and what was known about them. */
export interface FileNames {
  readonly names: ReadonlySet<string>;
  /** The facts about all names when they were looked at last; undefined before. */
  facts: string | undefined;
}

/** Whether a file, or a link on the way to it, differs from when this was asked last; true the first time. */
export function hasChanged(target: FileNames): boolean {
  const before = target.facts;
  target.facts = [...target.names].map(factsOf).join("\n");
  return target.facts !== before;
}

/** Tells states of a file apart; empty if it does not exist. */
function factsOf(path: string): string {
  try {
    const { dev, ino, size, mtime, birthtime } = Deno.lstatSync(path);
    return `${path} ${dev} ${ino} ${size} ${mtime?.getTime()} ${birthtime?.getTime()}`;
  } catch {
    return "";
  }
}

/** Whether one of the names is in the directory. */
export function isIn(directory: string, names: ReadonlySet<string>): boolean {
  for (const name of names) if (dirname(name) === directory) return true;
  return false;
}
