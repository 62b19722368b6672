/**
 * The folder that builds write to.
 */
import { LoadError } from "../errors/load_error.ts";
import { isAbsolute, join as joinPaths } from "../os/path.ts";
import { replaceFile as replaceInOneStep } from "../os/replace_file.ts";
import { equalBytes } from "../smf/equal.ts";

/** The name of the folder, unless the caller names another. */
export const CACHE_FOLDER = ".smf";

/**
 * Makes a folder for builds that version control ignores.
 *
 * @throws {LoadError} `Io` or `PermissionDenied`.
 */
export function makeCacheFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(joinPaths(folder, ".gitignore"), "*\n", { createNew: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw asLoadError(error, folder);
  }
}

/** Returns the error of a file that cannot be read or written as a {@linkcode LoadError}, any other one unchanged. */
export function asLoadError(error: unknown, path: string): unknown {
  if (error instanceof Deno.errors.NotCapable) {
    return new LoadError("PermissionDenied", `Cannot build module: ${error.message}`, { path }, {
      cause: error,
    });
  }
  const isCode = error instanceof Error && typeof (error as { readonly code?: unknown }).code === "string";
  return isCode && !(error instanceof LoadError)
    ? new LoadError("Io", `Cannot build module: ${error.message}`, { path }, { cause: error })
    : error;
}

/**
 * Replaces a file in one step: a reader sees the old file or all of the new one.
 *
 * @throws {LoadError} `Io` or `PermissionDenied`; the old file stays then.
 */
export function replaceFile(path: string, bytes: Uint8Array): void {
  try {
    replaceInOneStep(path, bytes);
  } catch (error) {
    throw asLoadError(error, path);
  }
}

/** Whether a file has these bytes; false if it cannot be read: writing tells what is wrong with it. */
export function hasBytes(path: string, bytes: Uint8Array): boolean {
  try {
    return equalBytes(Deno.readFileSync(path), bytes);
  } catch {
    return false;
  }
}

/** A path that starts at a folder unless it is absolute. */
export function within(folder: string, path: string): string {
  return isAbsolute(path) || folder === "." ? path : joinPaths(folder, path);
}
