/**
 * Paths of this system.
 *
 * `@std/path` chooses by `globalThis.process`, and the first look at that starts Deno's Node layer, which
 * takes some 20 ms of every program that loads a module. Its two halves do not look at it.
 */
import * as posix from "@std/path/posix";
import * as windows from "@std/path/windows";

const isWindows = Deno.build.os === "windows";

/**
 * Whether a path can name another host, as `\\host\share` does, and so a `file:` URL too.
 *
 * Platforms: true on Windows only.
 */
export const PATHS_NAME_HOSTS: boolean = isWindows;

export const {
  basename,
  dirname,
  fromFileUrl,
  isAbsolute,
  join,
  parse,
  relative,
  SEPARATOR_PATTERN,
  toFileUrl,
} = isWindows ? windows : posix;

/** The absolute path. Throws what `Deno.cwd` throws if the path is relative. */
export function resolve(...segments: string[]): string {
  const { resolve } = isWindows ? windows : posix;
  // Given the working directory, `@std/path` does not ask `process` for it.
  return isAbsolute(segments[0]) ? resolve(...segments) : resolve(Deno.cwd(), ...segments);
}
