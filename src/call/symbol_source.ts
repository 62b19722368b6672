/**
 * The symbols that binding finds in a module: those of one version, or the live exports of all.
 */

import type { ModuleTypes } from "../smf/types.ts";

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
  /** The names that the module exports, in file order. */
  readonly exportNames: () => Iterable<string>;
  /**
   * The types that the module keeps; undefined if it keeps none.
   *
   * @throws {LoadError} `InvalidFormat` if they are damaged.
   */
  types(): ModuleTypes | undefined;
  /** The number of the type of a name, and the size of the symbol in bytes; undefined if the type is not known. */
  typeOf(types: ModuleTypes, name: string): TypedSymbol | undefined;
}

/** The type of a symbol, as far as the module knows it. */
export interface TypedSymbol {
  /** The number of the type. */
  readonly type: number;
  /** The symbol's size in bytes; 0 if the file does not say. */
  readonly size: number;
}

/** The kind of a symbol, as errors name it. */
export type SymbolKind = "a function" | "a variable" | "a thread-local variable" | "a symbol without a type";
