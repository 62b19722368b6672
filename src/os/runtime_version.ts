/**
 * Refuses, when it is imported, a Deno that is too old for this package: one line,
 * where there would be an error about a missing name at some later call.
 */

import { LoadError } from "../errors/load_error.ts";
import { isBefore } from "./deno_versions.ts";

/** The oldest Deno that is tested: major and minor version. */
export const OLDEST_DENO: readonly [major: number, minor: number] = [2, 3];

/**
 * Checks a version of Deno.
 *
 * @throws {LoadError} `Unsupported` if it is too old.
 */
export function checkDeno(version: string): void {
  if (!isBefore(version, ...OLDEST_DENO)) return;
  throw new LoadError(
    "Unsupported",
    `Cannot use @simple/loader: it needs Deno ${OLDEST_DENO.join(".")} or newer, this is ${version}`,
    { hint: "deno upgrade" },
  );
}

checkDeno(Deno.version.deno);
