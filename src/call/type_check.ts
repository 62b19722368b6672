/**
 * Compares definitions with the types that a module keeps, before anything is bound: a wrong one is an
 * error there, instead of undefined behaviour in a call.
 */

import { LoadError } from "../errors/load_error.ts";
import { listNames } from "../errors/names.ts";
import { oneOf, type OptionKind } from "../errors/options.ts";
import type { ModuleTypes } from "../smf/types.ts";
import { compareFunction, compareVariable, type DefinitionDifferences } from "../types/compare_definition.ts";
import { sizeOf } from "../types/layout.ts";
import type { FunctionDefinition } from "./function_definition.ts";
import type { SymbolSource } from "./symbol_source.ts";

/**
 * Whether definitions are compared with the types that the module keeps: a
 * difference that makes calls wrong is an error (`check`), or nothing is
 * compared (`ignore`).
 */
export type TypeCheck = "check" | "ignore";

/** The values of the option `types`. */
export const TYPE_CHECK: OptionKind = oneOf("check", "ignore");

/** A function or a static to be bound, by the name of its symbol. */
export interface NamedDefinition {
  readonly name: string;
  readonly definition: FunctionDefinition | Deno.ForeignStatic;
}

/**
 * Compares definitions with the types of a module. Names that are missing or have no type are left to others.
 *
 * @throws {LoadError} `Incompatible` if one of them differs; `InvalidFormat` if the types are damaged.
 */
export function checkTypes(definitions: Iterable<NamedDefinition>, source: SymbolSource): void {
  const types = source.types();
  if (types === undefined) return;
  const problems = new Map<string, string>();
  for (const one of definitions) {
    const errors = compare(types, one, source)?.errors ?? [];
    if (errors.length > 0) problems.set(one.name, errors.join("; "));
  }
  if (problems.size === 0) return;
  const symbols = [...problems.keys()];
  const [symbol] = symbols;
  const list = listNames(symbols, (name) => `: ${problems.get(name)}`);
  throw new LoadError("Incompatible", `Cannot bind ${list}`, {
    path: source.path,
    symbol,
    symbols,
    hint: `correct the definition of '${symbol}', which the module declares as \`${
      types.declaration(symbol, source.typeOf(types, symbol)!.type)
    }\`; bind it by its name alone; or set \`types: "ignore"\` if you know better`,
  });
}

function compare(
  types: ModuleTypes,
  { name, definition }: NamedDefinition,
  source: SymbolSource,
): DefinitionDifferences | undefined {
  const found = source.typeOf(types, name);
  if (found === undefined) return undefined;
  const { type, size } = found;
  if (!("type" in definition)) return compareFunction(types.types, type, definition);
  return isStored(types, type, size) ? compareVariable(types.types, type, definition.type) : undefined;
}

/** Whether a variable is stored as its type says: compilers make some of them smaller, with values of their own. */
export function isStored({ types }: ModuleTypes, type: number, size: number): boolean {
  return size === 0 || size === (sizeOf(types, type) ?? size);
}
