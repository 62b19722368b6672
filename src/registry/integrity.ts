/**
 * Integrity checks of modules that are loaded: callers that expect certain
 * bytes are answered by the check made when the module was read, and a checked
 * version is replaced by checked versions only.
 */

import type { Entry } from "./catalog.ts";
import { inFile, LoadError } from "../errors.ts";
import { Integrity } from "../smf/integrity.ts";

/**
 * Checks a loaded module, whose bytes are gone, against the integrity that was
 * checked when they were there.
 *
 * @throws {LoadError} `InvalidIntegrity`, `IntegrityMismatch`.
 */
export function checkLoaded({ exports: { version } }: Entry, integrity: string | undefined): void {
  if (integrity === undefined) return;
  inFile(version.path, () => new Integrity(integrity).checkKnown(version.image.integrity));
}

/**
 * Refuses an unchecked version of a module whose current version was checked.
 *
 * @throws {LoadError} `IntegrityMismatch`.
 */
export function checkReplacement(entry: Entry | undefined, integrity: string | undefined): void {
  if (integrity !== undefined || entry?.exports.version.image.integrity === undefined) return;
  throw new LoadError(
    "IntegrityMismatch",
    "Cannot reload: the module was loaded with an integrity, so its next version needs one too",
    {
      path: entry.exports.version.path,
      hint:
        "pass the option `integrity` to reload (reloadAll and watch take none); smf hash FILE prints the string",
    },
  );
}
