/**
 * Binds definitions as `Deno.dlopen` does: one object with a function for each
 * function and a getter for each static.
 */

import { LoadError } from "../errors.ts";
import type { Binder } from "./binder.ts";
import type { CallPath } from "./path.ts";

/** Finds symbols by name; undefined for a name that is missing, or of another kind. */
export interface SymbolSource {
  /** The module's path, for errors. */
  readonly path: string;
  /** How errors say that the module has a name: `define`, `export`. */
  readonly verb: string;
  /** The address of a function. */
  functionAddress(name: string): bigint | undefined;
  /** A function that reads a static's value. */
  staticReader(name: string, type: Deno.NativeType): (() => unknown) | undefined;
}

/**
 * Binds all symbols of `definitions`.
 *
 * Safety: a definition that differs from the native function's signature
 * corrupts memory or ends the process when the function is called.
 *
 * @throws {LoadError} `UndefinedSymbol`, listing every name that is missing; the errors of {@linkcode Binder.bind}.
 */
export function bindSymbols<S extends Deno.ForeignLibraryInterface>(
  definitions: S,
  source: SymbolSource,
  binder: Binder,
  callPath: CallPath,
): Deno.StaticForeignLibraryInterface<S> {
  const symbols: Record<string, unknown> = Object.create(null);
  const missing: string[] = [];
  const functions: { key: string; name: string; address: bigint; definition: Deno.ForeignFunction }[] = [];
  for (const [key, definition] of Object.entries(definitions)) {
    const name = definition.name ?? key;
    if ("type" in definition) {
      const get = source.staticReader(name, definition.type);
      if (get !== undefined) {
        Object.defineProperty(symbols, key, { enumerable: true, get });
        continue;
      }
    } else {
      const address = source.functionAddress(name);
      if (address !== undefined) {
        functions.push({ key, name, address, definition });
        continue;
      }
    }
    if (definition.optional === true) symbols[key] = null;
    else missing.push(name);
  }
  if (missing.length > 0) {
    const names = missing.map((name) => `'${name}'`).join(", ");
    throw new LoadError("UndefinedSymbol", `Cannot bind: the module does not ${source.verb} ${names}`, {
      path: source.path,
      symbols: missing,
      hint: "correct the name (smf inspect FILE lists the module's symbols), " +
        "or define it with `optional: true` if it may be missing",
    });
  }
  const bound = binder.bind(functions, callPath);
  functions.forEach(({ key }, index) => symbols[key] = bound[index]);
  return Object.freeze(symbols) as Deno.StaticForeignLibraryInterface<S>;
}
