/**
 * `os/`: everything that is asked of the operating system. This file opens the
 * system's own libraries by name.
 */
import { LoadError } from "../errors/load_error.ts";

/** An open library, or a test's replacement for one. */
export interface SystemLibrary<Functions> {
  /** The library's functions. */
  readonly symbols: Functions;
  /** Closes the library; nothing in `symbols` may be called afterwards. */
  close(): void;
}

/**
 * Opens the first of `names` that exists: one library has different names on
 * different systems. Closing or disposing ends it.
 *
 * Safety: a definition that differs from the function's C declaration corrupts
 * memory or ends the process when the function is called.
 *
 * @throws {LoadError} `Unsupported` if there is none; `PermissionDenied`.
 */
export function openLibrary<const D extends Deno.ForeignLibraryInterface>(
  names: readonly string[],
  definitions: D,
): SystemLibrary<Deno.StaticForeignLibraryInterface<D>> & Disposable {
  let failure: unknown;
  for (const name of names) {
    try {
      const library = permitted(() => Deno.dlopen(name, definitions));
      const close = (): void => library.close();
      return { symbols: library.symbols, close, [Symbol.dispose]: close };
    } catch (error) {
      if (error instanceof LoadError) throw error;
      failure ??= error;
    }
  }
  // With a list of paths, Deno may look for a bare name beside the program instead of refusing it.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") throw notPermitted(failure);
  throw new LoadError("Unsupported", `Cannot open the system library ${names[0]}`, {
    hint: `install ${names.join(" or ")}, or run on a system that has it`,
  }, { cause: failure });
}

/** A library that is open for as long as anything holds it, so that a program leaves nothing open when it is done. */
export class HeldLibrary<const D extends Deno.ForeignLibraryInterface> {
  readonly #name: string;
  readonly #definitions: D;
  #open: SystemLibrary<Deno.StaticForeignLibraryInterface<D>> | undefined;
  #holders = 0;

  /** Opens nothing yet. Safety: as for {@linkcode openLibrary}. */
  constructor(name: string, definitions: D) {
    this.#name = name;
    this.#definitions = definitions;
  }

  /**
   * Opens the library unless it is open. The result's `close` must be called once; the last one closes the library.
   *
   * @throws {LoadError} As {@linkcode openLibrary}.
   */
  hold(): SystemLibrary<Deno.StaticForeignLibraryInterface<D>> {
    const { symbols } = this.#open ??= openLibrary([this.#name], this.#definitions);
    this.#holders++;
    return {
      symbols,
      close: () => {
        if (--this.#holders > 0) return;
        this.#open?.close();
        this.#open = undefined;
      },
    };
  }
}

/** Runs `work`; turns Deno's error about a missing permission into one that names the flag. */
export function permitted<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof Deno.errors.NotCapable ? notPermitted(error) : error;
  }
}

/** Runs `work`, which nobody misses where --allow-ffi is missing: does nothing there. */
export function ifPermitted(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
}

function notPermitted(cause: unknown): LoadError {
  return new LoadError(
    "PermissionDenied",
    "Cannot use executable memory: it needs --allow-ffi, without a list of paths",
    { hint: "run with --allow-ffi (code that is loaded can do whatever this process can)" },
    { cause },
  );
}
