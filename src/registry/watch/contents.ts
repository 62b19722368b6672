/**
 * Reads watched files as a whole.
 */

import type { FileFacts } from "../../load/file/stamp.ts";
import { readFile, wholeFile } from "../../load/file/source.ts";

/** The contents of a file, and what the system says of it. */
export interface FileContents {
  readonly bytes: Uint8Array;
  readonly info: FileFacts;
}

/** @throws {LoadError} If the file does not exist, is not a regular file, is too large, or changes while it is read. */
export function readContents(path: string): FileContents {
  return readFile(path, function* (size, stamp) {
    return { bytes: yield* wholeFile(size), info: stamp!.info };
  });
}
