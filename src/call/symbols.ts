/**
 * Binds definitions as `Deno.dlopen` does: one object with a function for each
 * function and a getter for each static. The module's types check the definitions,
 * or make them.
 */

import { LoadError } from "../errors/load_error.ts";
import { didYouMean, listNames, nearestSymbol } from "../errors/names.ts";
import type { Binder } from "./binder.ts";
import type { Definitions, FunctionDefinition, Integers } from "./function_definition.ts";
import type { CallGuards } from "./guard.ts";
import type { CallPath } from "./path.ts";
import type { SymbolKind, SymbolSource } from "./symbol_source.ts";
import { checkTypes, type NamedDefinition, type TypeCheck } from "./type_check.ts";
import { definitionsByTypes, isByTypes, judgeWanted, type Wanted } from "./typed_definitions.ts";

/** How symbols are bound. */
export interface BindingOptions {
  readonly callPath: CallPath;
  /** Whether definitions are compared with the module's types. */
  readonly types: TypeCheck;
  /** The values of 64-bit integers in functions that have no definition; undefined with definitions. */
  readonly integers: Integers | undefined;
  /** Makes crashes exceptions of the calls; undefined: they end the process. */
  readonly guards?: CallGuards | undefined;
}

/** The result of a binding. */
export interface SymbolsBound {
  /** A function for each function, a getter for each static. Frozen. */
  readonly symbols: Readonly<Record<string, unknown>>;
  /** The exports that were wanted like all others, and have no definition by the module's types: why not. */
  readonly leftOut: ReadonlyMap<string, string>;
}

const NOTHING_LEFT_OUT: ReadonlyMap<string, string> = new Map();

/**
 * Binds the symbols that definitions, names or all exports stand for.
 *
 * Safety: a definition that differs from the native function's signature
 * corrupts memory or ends the process when the function is called. It is compared
 * where the module keeps types.
 *
 * @throws {TypeError} for a definition that describes no function and no variable.
 * @throws {LoadError} `UndefinedSymbol`, listing every name that is missing; `Incompatible` for a definition that
 * does not agree with the module's types, for a function that is defined as a static, or the other way round; the
 * errors of {@linkcode definitionsByTypes} and {@linkcode Binder.bind}.
 */
export function bindWanted(
  wanted: Wanted,
  source: SymbolSource,
  binder: Binder,
  { callPath, types, integers, guards }: BindingOptions,
): SymbolsBound {
  judgeWanted(wanted, types, integers);
  if (!isByTypes(wanted)) {
    if (types === "check") checkTypes(namedDefinitions(wanted), source);
    return { symbols: bindSymbols(wanted, source, binder, { callPath, guards }), leftOut: NOTHING_LEFT_OUT };
  }
  const { definitions, leftOut } = definitionsByTypes(wanted, source, integers);
  return { symbols: bindSymbols(definitions, source, binder, { callPath, guards }), leftOut };
}

function* namedDefinitions(definitions: Definitions): Iterable<NamedDefinition> {
  for (const [key, definition] of Object.entries(definitions)) {
    yield { name: definition.name ?? key, definition };
  }
}

/** Binds all symbols of definitions that were judged. */
function bindSymbols(
  definitions: Definitions,
  source: SymbolSource,
  binder: Binder,
  { callPath, guards }: Pick<BindingOptions, "callPath" | "guards">,
): Readonly<Record<string, unknown>> {
  const symbols: Record<string, unknown> = Object.create(null);
  const wrong: WrongName[] = [];
  const functions: { key: string; name: string; address: bigint; definition: FunctionDefinition }[] = [];
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
  const bound = binder.bind(functions, callPath, guards);
  functions.forEach(({ key }, index) => symbols[key] = bound[index]);
  // An object without a prototype is a hash table to V8, and an access 50 times as slow; one that is itself a prototype is not.
  Object.create(symbols);
  return Object.freeze(symbols);
}

/** A name that is missing, or that is `found` to be of another kind than its definition says. */
interface WrongName {
  readonly name: string;
  readonly found: SymbolKind | undefined;
  readonly isStatic: boolean;
}

/** One error for all names that cannot be bound. */
function cannotBind(wrong: readonly WrongName[], { path, verb, exportNames }: SymbolSource): LoadError {
  const missing = wrong.filter(({ found }) => found === undefined).map(({ name }) => name);
  const mistaken = new Map(
    wrong.filter(({ found }) => found !== undefined).map(({ name, found, isStatic }) => [
      name,
      ` is ${found}, not ${isStatic ? "a variable" : "a function"}`,
    ]),
  );
  const problems: string[] = [];
  const near = (name: string): string => didYouMean(nearestSymbol(name, exportNames()));
  if (missing.length > 0) problems.push(`the module does not ${verb} ${listNames(missing, near)}`);
  if (mistaken.size > 0) problems.push(listNames([...mistaken.keys()], (name) => mistaken.get(name)!));
  return new LoadError(
    missing.length > 0 ? "UndefinedSymbol" : "Incompatible",
    `Cannot bind: ${problems.join("; ")}`,
    {
      path,
      symbols: wrong.map(({ name }) => name),
      hint: missing.length > 0
        ? "correct the name (smf nm FILE lists the module's symbols), " +
          "or define it with `optional: true` if it may be missing"
        : "define functions with `parameters` and `result`, and variables with `type`; " +
          "addressOf(name) gives the address of either",
    },
  );
}
