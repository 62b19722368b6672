/**
 * What it means for a loaded module that its bytes were checked: later callers
 * that expect something are answered by that check, and nothing unchecked takes
 * its place.
 */

import type { Entry } from "./catalog.ts";
import { inFile, LoadError } from "../errors.ts";
import { Integrity } from "../smf/integrity.ts";

/**
 * Checks what is loaded, whose bytes are gone, by what was checked when they
 * were there.
 *
 * @throws {LoadError} `InvalidIntegrity`, `IntegrityMismatch`.
 */
export function checkLoaded({ exports: { version } }: Entry, integrity: string | undefined): void {
  if (integrity === undefined) return;
  inFile(version.path, () => new Integrity(integrity).checkKnown(version.image.integrity));
}

/**
 * Refuses a next version that is not checked while the current one was.
 *
 * @throws {LoadError} `IntegrityMismatch`.
 */
export function checkReplacement(entry: Entry | undefined, integrity: string | undefined): void {
  if (integrity !== undefined || entry?.exports.version.image.integrity === undefined) return;
  throw new LoadError(
    "IntegrityMismatch",
    "Cannot reload: the module was loaded with an integrity, so its next version needs one too",
    { path: entry.exports.version.path },
  );
}
