/**
 * Reads the debug information of a loaded module from its file, long after the module was loaded: only if the file
 * is still the one that was loaded.
 */
import { attempt, ignore } from "../../errors/load_error.ts";
import { dirname, join } from "../../os/path.ts";
import { xxh32 } from "../../smf/hash.ts";
import { readSmf, type SmfFile } from "../../smf/file.ts";
import type { DebugLink } from "../../smf/debug.ts";
import { type DebugContents, readDebug } from "../../smf/kept_debug.ts";
import { readFile, wholeFile } from "./source.ts";

/** Reads debug information from a module's file; undefined if the file is gone, cannot be read, or is another by now. */
export function readDebugFile(path: string, loaded: SmfFile): DebugContents | undefined {
  return quietly(path, () =>
    readFile(path, function* (size) {
      if (size !== loaded.size) return undefined;
      const file = yield* readSmf(size);
      const { moduleHash, sourceHash } = file.header;
      if (moduleHash !== loaded.header.moduleHash || sourceHash !== loaded.header.sourceHash) {
        return undefined;
      }
      return yield* readDebug(file);
    }));
}

/** Reads the companion file beside a module's; undefined if it is gone, cannot be read, or is that of another link. */
export function readCompanion(modulePath: string, { name, hash }: DebugLink): Uint8Array | undefined {
  const path = join(dirname(modulePath), name);
  const bytes = quietly(path, () => readFile(path, wholeFile));
  return bytes !== undefined && xxh32(bytes) === hash ? bytes : undefined;
}

/**
 * Reads from a file. Debug information is a help: without it, less is said, and nobody is asked whether it may be
 * read.
 */
function quietly<T>(path: string, work: () => T): T | undefined {
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
  return attempt(ignore, work);
}
