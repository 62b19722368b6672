/**
 * Binds definitions as `Deno.dlopen` does: one object with a function for each
 * function and a getter for each static.
 */

import { LoadError } from "../errors/load_error.ts";
import { listNames } from "../errors/names.ts";
import type { Binder } from "./binder.ts";
import { judgeDefinitions } from "./definition.ts";
import type { CallPath } from "./path.ts";

/** Finds symbols by name; undefined for a name that is missing, or of another kind. */
export interface SymbolSource {
  /** The module's path, for errors. */
  readonly path: string;
  /** How errors say that the module has a name: `define`, `export`. */
  readonly verb: string;
  /** The address of a function. */
  functionAddress(name: string): bigint | undefined;
  /**
   * A function that reads a static's value.
   *
   * @throws {LoadError} `Incompatible` if the variable does not have the type's size.
   */
  staticReader(name: string, type: Deno.NativeType): (() => unknown) | undefined;
  /** The kind of thing that has a name, whether or not it can be bound; undefined if nothing has it. */
  kind(name: string): SymbolKind | undefined;
}

/** The kind of a symbol, as errors name it. */
export type SymbolKind = "a function" | "a variable" | "a symbol without a type";

/**
 * Binds all symbols of `definitions`.
 *
 * Safety: a definition that differs from the native function's signature
 * corrupts memory or ends the process when the function is called.
 *
 * @throws {TypeError} for a definition that describes no function and no variable.
 * @throws {LoadError} `UndefinedSymbol`, listing every name that is missing; `Incompatible` for a
 * function that is defined as a static, or the other way round; the errors of {@linkcode Binder.bind}.
 */
export function bindSymbols<S extends Deno.ForeignLibraryInterface>(
  definitions: S,
  source: SymbolSource,
  binder: Binder,
  callPath: CallPath,
): Deno.StaticForeignLibraryInterface<S> {
  judgeDefinitions(definitions);
  const symbols: Record<string, unknown> = Object.create(null);
  const wrong: WrongName[] = [];
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
    else wrong.push({ name, found: source.kind(name), isStatic: "type" in definition });
  }
  if (wrong.length > 0) throw cannotBind(wrong, source);
  const bound = binder.bind(functions, callPath);
  functions.forEach(({ key }, index) => symbols[key] = bound[index]);
  // An object without a prototype is a hash table to V8, and an access 50 times as slow; one that is itself a prototype is not.
  Object.create(symbols);
  return Object.freeze(symbols) as Deno.StaticForeignLibraryInterface<S>;
}

/** A name that is missing, or that is `found` to be of another kind than its definition says. */
interface WrongName {
  readonly name: string;
  readonly found: SymbolKind | undefined;
  readonly isStatic: boolean;
}

/** One error for all names that cannot be bound. */
function cannotBind(wrong: readonly WrongName[], { path, verb }: SymbolSource): LoadError {
  const missing = wrong.filter(({ found }) => found === undefined).map(({ name }) => name);
  const mistaken = new Map(
    wrong.filter(({ found }) => found !== undefined).map(({ name, found, isStatic }) => [
      name,
      ` is ${found}, not ${isStatic ? "a variable" : "a function"}`,
    ]),
  );
  const problems: string[] = [];
  if (missing.length > 0) problems.push(`the module does not ${verb} ${listNames(missing)}`);
  if (mistaken.size > 0) problems.push(listNames([...mistaken.keys()], (name) => mistaken.get(name)!));
  return new LoadError(
    missing.length > 0 ? "UndefinedSymbol" : "Incompatible",
    `Cannot bind: ${problems.join("; ")}`,
    {
      path,
      symbols: wrong.map(({ name }) => name),
      hint: missing.length > 0
        ? "correct the name (smf inspect FILE lists the module's symbols), " +
          "or define it with `optional: true` if it may be missing"
        : "define functions with `parameters` and `result`, and variables with `type`; " +
          "addressOf(name) gives the address of either",
    },
  );
}
