/**
 * Integrity checks of modules that are loaded: callers that expect certain
 * bytes are answered by the check made when the module was read, and a checked
 * version is replaced by checked versions only.
 */

import type { Entry } from "./catalog.ts";
import { inFile, LoadError } from "../errors/load_error.ts";
import type { ModuleVersion } from "../module/version.ts";
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
  refuseUnchecked(
    entry,
    integrity,
    "Cannot reload: the module was loaded with an integrity, so its next version needs one too",
    "pass the option `integrity` to reload (reloadAll and watch take none); smf hash FILE prints the string",
  );
}

/**
 * Refuses to go back from a checked version to one that was never checked.
 *
 * @throws {LoadError} `IntegrityMismatch`.
 */
export function checkRollback(entry: Entry, { image }: ModuleVersion): void {
  refuseUnchecked(
    entry,
    image.integrity,
    "Cannot roll back: the module was loaded with an integrity, and the version before was not checked",
    "reload with the bytes of the older file and their `integrity`; smf hash FILE prints the string",
  );
}

function refuseUnchecked(
  entry: Entry | undefined,
  integrity: string | undefined,
  message: string,
  hint: string,
): void {
  if (integrity !== undefined || entry?.exports.version.image.integrity === undefined) return;
  throw new LoadError("IntegrityMismatch", message, { path: entry.exports.version.path, hint });
}
