/**
 * Refuses, when it is imported, a Deno that is too old for this package: one line,
 * where there would be an error about a missing name at some later call.
 */

import { LoadError } from "../errors/load_error.ts";

/** The oldest Deno that is tested: major and minor version. */
export const OLDEST_DENO: readonly [major: number, minor: number] = [2, 3];

/**
 * Checks a version of Deno.
 *
 * @throws {LoadError} `Unsupported` if it is too old.
 */
export function checkDeno(version: string): void {
  const [major, minor] = version.split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_DENO;
  // A version in another form is not a release, and newer than this package.
  if (!(major < oldestMajor || (major === oldestMajor && minor < oldestMinor))) return;
  throw new LoadError(
    "Unsupported",
    `Cannot use @simple/loader: it needs Deno ${oldestMajor}.${oldestMinor} or newer, this is ${version}`,
    { hint: "deno upgrade" },
  );
}

checkDeno(Deno.version.deno);
