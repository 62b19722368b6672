/**
 * Modules that the runtime has built in, found without waiting and only when
 * they are needed: importing `node:zlib` or `node:crypto` takes some 30 ms,
 * longer than most of what this package does.
 */

import { LoadError } from "../errors.ts";

/** The part of the global `process` that is used. */
interface WithBuiltins {
  readonly process?: { readonly getBuiltinModule?: (name: string) => unknown };
}

/**
 * A built-in module.
 *
 * @param functions That it must have.
 * @throws {LoadError} `Unsupported` if this runtime lacks it or one of them.
 */
export function builtinModule<T>(name: string, functions: readonly (keyof T & string)[]): T {
  const found = (globalThis as WithBuiltins).process?.getBuiltinModule?.(name) as Partial<T> | undefined;
  const missing = functions.find((key) => found?.[key] === undefined);
  if (found === undefined || missing !== undefined) {
    throw new LoadError("Unsupported", `Cannot use ${name}: this runtime does not have ${missing ?? "it"}`);
  }
  return found as T;
}
