/**
 * Access to modules built into the runtime, synchronously and only on first use:
 * importing `node:zlib` or `node:crypto` takes some 30 ms, longer than most of
 * what this package does.
 */

import { LoadError } from "../errors/load_error.ts";

/** The part of the global `process` that this package uses. */
interface WithBuiltins {
  readonly process?: { readonly getBuiltinModule?: (name: string) => unknown };
}

/**
 * Finds a built-in module.
 *
 * @param functions The functions that it must have.
 * @throws {LoadError} `Unsupported` if this runtime lacks the module or one of the functions.
 */
export function builtinModule<T>(name: string, functions: readonly (keyof T & string)[]): T {
  const found = (globalThis as WithBuiltins).process?.getBuiltinModule?.(name) as Partial<T> | undefined;
  const missing = functions.find((key) => found?.[key] === undefined);
  if (found === undefined || missing !== undefined) {
    throw new LoadError("Unsupported", `Cannot use ${name}: this runtime does not have ${missing ?? "it"}`, {
      hint: "use a newer version of the runtime, which has it",
    });
  }
  return found as T;
}
