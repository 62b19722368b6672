/**
 * The names under which a file can change: its own, and those of links that
 * lead to it.
 */

import { dirname, join, parse, resolve, SEPARATOR_PATTERN } from "../../os/path.ts";

/** A path with more links than this leads in a circle. */
const MAX_LINKS = 40;

/** The real path of every link on the way to a file, and of the file itself, whether or not it exists. */
export function namesOf(path: string): string[] {
  const names: string[] = [];
  const follow = (path: string): string => {
    const absolute = resolve(path);
    const { root } = parse(absolute);
    let at = root;
    for (const part of absolute.slice(root.length).split(SEPARATOR_PATTERN)) {
      if (part === "") continue;
      at = join(at, part);
      const target = names.length < MAX_LINKS ? linkTarget(at) : undefined;
      if (target === undefined) continue;
      names.push(at);
      at = follow(resolve(dirname(at), target));
    }
    return at;
  };
  names.push(follow(path));
  return names;
}

/** The target of a link; undefined if the path is not a link, does not exist, or may not be read. */
function linkTarget(path: string): string | undefined {
  try {
    return Deno.lstatSync(path).isSymlink ? Deno.readLinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}
