/**
 * The operating system's own libraries, opened by name.
 */
import { LoadError } from "../errors.ts";

/** An open library, or a stand-in for one. */
export interface SystemLibrary<Functions> {
  /** What it does. */
  readonly symbols: Functions;
  /** Closes it; nothing in `symbols` may be called afterwards. */
  close(): void;
}

/**
 * Opens the first of `names` that exists: the same library is called
 * differently by different systems.
 */
export function openLibrary<const D extends Deno.ForeignLibraryInterface>(
  names: readonly string[],
  definitions: D,
): SystemLibrary<Deno.StaticForeignLibraryInterface<D>> {
  let failure: unknown;
  for (const name of names) {
    try {
      const library = permitted(() => Deno.dlopen(name, definitions));
      return { symbols: library.symbols, close: () => library.close() };
    } catch (error) {
      if (error instanceof LoadError) throw error;
      failure ??= error;
    }
  }
  // With a list of paths, Deno may look for a bare name beside the program instead of refusing it.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") throw notPermitted(failure);
  throw new LoadError("Unsupported", `Cannot open the system library ${names[0]}`, {}, { cause: failure });
}

/** Runs `work`; a permission that Deno misses becomes an error that names the flag. */
export function permitted<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof Deno.errors.NotCapable ? notPermitted(error) : error;
  }
}

function notPermitted(cause: unknown): LoadError {
  return new LoadError(
    "PermissionDenied",
    "Cannot use executable memory: it needs --allow-ffi, without a list of paths",
    {},
    { cause },
  );
}
