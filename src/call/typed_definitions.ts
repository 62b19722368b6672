/**
 * Definitions that nobody has written: those of a module's exports, by the types that it keeps.
 */

import { LoadError } from "../errors/load_error.ts";
import { listNames } from "../errors/names.ts";
import { describeValue } from "../errors/options.ts";
import type { ModuleTypes } from "../smf/types.ts";
import { bareType } from "../types/layout.ts";
import { isReason, nativeFunction, nativeValue } from "../types/native.ts";
import { judgeDefinitions } from "./definition.ts";
import type { Definitions, FunctionDefinition, Integers } from "./function_definition.ts";
import type { SymbolSource } from "./symbol_source.ts";
import { isStored, type TypeCheck } from "./type_check.ts";

/** The request of a binding: definitions, names whose types the module knows, or all exports (undefined). */
export type Wanted = Definitions | readonly string[] | undefined;

/** Definitions by the module's types. */
export interface TypedDefinitions {
  readonly definitions: Definitions;
  /** The exports that have none, and why. */
  readonly leftOut: ReadonlyMap<string, string>;
}

/** Whether definitions are wanted that the module's types have to give. */
export function isByTypes(wanted: Wanted): wanted is readonly string[] | undefined {
  return wanted === undefined || Array.isArray(wanted);
}

/**
 * Judges what is to be bound, before anything is done for it.
 *
 * @throws {TypeError} for names that are not strings, for types that are to be ignored but needed, and as
 * {@linkcode judgeDefinitions}.
 */
export function judgeWanted(wanted: Wanted, types: TypeCheck, integers: Integers | undefined): void {
  if (!isByTypes(wanted)) {
    if (integers !== undefined) throw integersTwice();
    return judgeDefinitions(wanted);
  }
  if (types === "ignore") {
    throw new TypeError("Cannot bind: option 'types' is 'ignore', and there are no definitions");
  }
  for (const name of wanted ?? []) {
    if (typeof name !== "string") {
      throw new TypeError(`Cannot bind: a name is ${describeValue(name)}, not a string`);
    }
  }
}

/** The error for an option that definitions have themselves. */
export function integersTwice(): TypeError {
  return new TypeError(
    "Cannot bind: option 'integers' is for functions without definitions; a definition has `integers` itself",
  );
}

/**
 * Makes definitions of a module's functions and variables. A variable that is not a word is defined as a
 * pointer, which stands for its address.
 *
 * @param names The symbols to define; all exports if absent, without those that cannot be defined.
 * @throws {LoadError} `Unsupported` if the module has no types; `UndefinedSymbol` for a name that is missing;
 * `Incompatible` for one that cannot be defined.
 */
export function definitionsByTypes(
  names: readonly string[] | undefined,
  source: SymbolSource,
  integers: Integers | undefined,
): TypedDefinitions {
  const types = source.types();
  if (types === undefined) throw noTypes(source.path);
  const definitions: Record<string, FunctionDefinition | Deno.ForeignStatic> = Object.create(null);
  const leftOut = new Map<string, string>();
  const missing: string[] = [];
  for (const name of names ?? source.exportNames()) {
    const kind = source.kind(name);
    if (kind === undefined) {
      // A name that is exported but is not an address, such as that of a type, is nothing to bind.
      if (names !== undefined) missing.push(name);
      continue;
    }
    const definition = kind === "a thread-local variable"
      ? "each thread has a variable of its own, which JavaScript cannot reach"
      : define(types, name, kind === "a function", source);
    if (typeof definition === "string") leftOut.set(name, definition);
    else definitions[name] = "type" in definition ? definition : { ...definition, integers };
  }
  if (missing.length > 0) throw missingNames(missing, source);
  if (names !== undefined && leftOut.size > 0) throw cannotDefine(leftOut, source.path);
  return { definitions, leftOut };
}

/** The definition of a symbol, or the reason why it has none. */
function define(
  types: ModuleTypes,
  name: string,
  isFunction: boolean,
  source: SymbolSource,
): FunctionDefinition | Deno.ForeignStatic | string {
  const found = source.typeOf(types, name);
  if (found === undefined) return "the module does not know its type: its object was compiled without -g";
  const { type, size } = found;
  const record = types.types[bareType(types.types, type)];
  if (isFunction !== (record?.kind === "function")) {
    return `the module's types say that it is ${isFunction ? "a variable" : "a function"}`;
  }
  if (record?.kind === "function") {
    const native = nativeFunction(types.types, record);
    return isReason(native) ? native.reason : native as FunctionDefinition;
  }
  if (!isStored(types, type, size)) {
    return `the compiler has stored it in another way than its type, ${types.declaration("", type)}, says`;
  }
  const value = nativeValue(types.types, type);
  return { type: typeof value === "string" ? value : "pointer" };
}

function noTypes(path: string): LoadError {
  return new LoadError("Unsupported", "Cannot bind without definitions: the module has no types", {
    path,
    hint: "compile its sources with -g and link it again, which keeps the types, " +
      "or write definitions (smf nm FILE lists the names)",
  });
}

function missingNames(symbols: readonly string[], { path, verb }: SymbolSource): LoadError {
  return new LoadError("UndefinedSymbol", `Cannot bind: the module does not ${verb} ${listNames(symbols)}`, {
    path,
    symbols,
    hint: "correct the name: smf nm FILE lists the module's symbols",
  });
}

function cannotDefine(reasons: ReadonlyMap<string, string>, path: string): LoadError {
  const symbols = [...reasons.keys()];
  const [symbol] = symbols;
  return new LoadError(
    "Incompatible",
    `Cannot bind ${listNames(symbols, (name) => `: ${reasons.get(name)}`)}`,
    {
      path,
      symbol,
      symbols,
      hint: "export a function with a simpler signature that calls it, or write its definition " +
        "if you know how it is called",
    },
  );
}
