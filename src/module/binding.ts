/**
 * Binding the symbols of one version: finds their addresses and makes functions,
 * getters and leases of them.
 */

import { CALL_PATH, type CallPath, type TakenPath } from "../call/path.ts";
import type { CallGate } from "../call/gate.ts";
import { type CrashOptions, ON_CRASH } from "../call/guard.ts";
import { judgeFunction } from "../call/definition.ts";
import {
  type Definitions,
  type FunctionDefinition,
  INTEGERS,
  type Integers,
  type SymbolsOf,
} from "../call/function_definition.ts";
import { type StaticMemory, staticReader } from "../call/static_reader.ts";
import { checkStaticSize } from "../call/statics.ts";
import type { SymbolKind, SymbolSource } from "../call/symbol_source.ts";
import { type BindingOptions, bindWanted, type SymbolsBound } from "../call/symbols.ts";
import { checkTypes, TYPE_CHECK, type TypeCheck } from "../call/type_check.ts";
import { definitionsByTypes, integersTwice, judgeWanted, type Wanted } from "../call/typed_definitions.ts";
import { LoadError } from "../errors/load_error.ts";
import type { OptionTable } from "../errors/options.ts";
import { isAddress } from "../image/plan.ts";
import { keptHome, symbolAddress } from "../load/loader.ts";
import { readStatic, staticSize } from "../os/native_memory.ts";
import { HeaderFlag, SymbolType } from "../smf/enums.ts";
import type { SmfSymbol } from "../smf/symbol.ts";
import { exactSize } from "../smf/symbol_size.ts";
import type { ModuleVersion } from "./version.ts";

/** The result of {@linkcode LoadedModule.bind}. */
export interface BoundSymbols<S extends Definitions> {
  /** A function for each function, and for each static a getter that reads its current value. */
  readonly symbols: SymbolsOf<S>;
}

/**
 * A function that was bound by the module's own types, which TypeScript does not
 * know. Arguments are checked when it is called, as for `Deno.dlopen`.
 */
// deno-lint-ignore no-explicit-any
export type AnyFunction = (...parameters: any[]) => any;

/**
 * Functions and variables that were bound by the module's own types, which
 * TypeScript does not know: each may be called or read. With definitions, such
 * as those that `smf types` writes, it checks them.
 */
// deno-lint-ignore no-explicit-any
export type ModuleSymbols<Name extends string = string> = { readonly [N in Name]: any };

/** The result of {@linkcode LoadedModule.bind} without definitions. */
export interface BoundByTypes<Name extends string = string> {
  /** A function for each function, and for each variable a getter that reads its current value. */
  readonly symbols: ModuleSymbols<Name>;
  /**
   * The exports that cannot be called or read, each with the reason, such as `it
   * is variadic`; empty if names were given.
   */
  readonly leftOut: ReadonlyMap<string, string>;
}

/** How functions are bound. */
export interface BindOptions {
  /**
   * The way that calls take; see {@linkcode CallPath}.
   *
   * @default the call path that the module was loaded with
   */
  readonly callPath?: CallPath;
  /**
   * Whether definitions are compared with the types that the module keeps.
   *
   * Safety: with `ignore`, a definition that differs from the native function
   * corrupts memory or crashes the process when the function is called.
   *
   * @default "check"
   */
  readonly types?: TypeCheck;
  /**
   * The JavaScript values of 64-bit integers in functions that are bound by the
   * module's types. Definitions say it themselves.
   *
   * @default "bigint"
   */
  readonly integers?: Integers;
}

/** The checks of {@linkcode BindOptions}. */
export const BIND_OPTIONS: OptionTable<BindOptions> = {
  callPath: CALL_PATH,
  types: TYPE_CHECK,
  integers: INTEGERS,
};

/** How functions of an attached module are bound. */
export type AttachOptions = Pick<BindOptions, "callPath"> & CrashOptions;

/** The checks of {@linkcode AttachOptions}. */
export const ATTACH_OPTIONS: OptionTable<AttachOptions> = { callPath: CALL_PATH, onCrash: ON_CRASH };

/** One function that was bound. */
export interface BoundFunction {
  /** The symbol's name. */
  readonly name: string;
  /** The path that its calls take, after the first few. */
  readonly path: TakenPath;
}

/** A raw address that stays valid until the lease is disposed of. */
export interface AddressLease extends Disposable {
  /** The symbol's address in this process. */
  readonly address: bigint;
}

/** Binds one function by its symbol's name; `null` if the version does not define such a function. */
export function bindFunction(
  version: ModuleVersion,
  name: string,
  definition: FunctionDefinition | undefined,
  { callPath, types, integers, guards }: BindingOptions,
): AnyFunction | null {
  if (definition === undefined) judgeWanted([name], types, integers);
  else if (integers !== undefined) throw integersTwice();
  else judgeFunction(name, definition);
  const address = findAddress(version, name, isFunction);
  if (address === undefined) return null;
  const source = symbolSource(version);
  if (definition === undefined) {
    const { definitions } = definitionsByTypes([name], source, integers);
    definition = definitions[name] as FunctionDefinition;
  } else if (types === "check") checkTypes([{ name, definition }], source);
  return bindAddress(version, name, address, definition, { callPath, guards });
}

/** Names the entry point in messages. */
const ENTRY_POINT = "(entry point)";

/** Binds the function that the header names as the entry point; `null` unless the file is marked EXECUTABLE. */
export function bindEntryPoint(
  version: ModuleVersion,
  definition: FunctionDefinition,
  { callPath, types, integers, guards }: BindingOptions,
): AnyFunction | null {
  if (integers !== undefined) throw integersTwice();
  judgeFunction(ENTRY_POINT, definition);
  const { file, memory, plan } = version.image;
  const { flags, entryPoint } = file.header;
  if ((flags & HeaderFlag.Executable) === 0) return null;
  if (types === "check") {
    const source: SymbolSource = {
      ...symbolSource(version),
      typeOf: (types) => {
        const type = types.at(entryPoint);
        return type === undefined ? undefined : { type, size: 0 };
      },
    };
    checkTypes([{ name: ENTRY_POINT, definition }], source);
  }
  const address = memory.address + BigInt(plan.place(entryPoint, 0));
  return bindAddress(version, ENTRY_POINT, address, definition, { callPath, guards });
}

function bindAddress(
  version: ModuleVersion,
  name: string,
  address: bigint,
  definition: FunctionDefinition,
  { callPath, guards }: Pick<BindingOptions, "callPath" | "guards">,
): AnyFunction {
  const [callable] = version.binder.bind([{ name, address, definition }], callPath, guards);
  return callable;
}

/**
 * Binds the symbols that definitions, names or all exports stand for.
 *
 * @throws {LoadError} As {@linkcode bindWanted}.
 */
export function bindAll(version: ModuleVersion, wanted: Wanted, options: BindingOptions): SymbolsBound {
  return bindWanted(wanted, symbolSource(version), version.binder, options);
}

function symbolSource(version: ModuleVersion): SymbolSource {
  const { symbols } = version.image.file;
  return {
    path: version.path,
    verb: "define",
    functionAddress: (name: string) => findAddress(version, name, isFunction),
    staticReader: (name: string, type: Deno.NativeType) => {
      const address = findStatic(version, name, type);
      if (address === undefined) return undefined;
      const { gate } = version;
      return staticReader(type, () => new FixedStatic(version, name, address, staticSize(type))) ??
        (() => {
          if (!gate.open) throw version.closedError(name);
          return readStatic(address, type);
        });
    },
    kind: (name: string) => kindOf(version, name),
    *exportNames() {
      for (let index = 0; index < symbols.length; index++) {
        if (symbols.isExport(index)) yield symbols.name(index);
      }
    },
    types: () => version.image.types?.read(version.path),
    typeOf: (types, name) => {
      const symbol = findSymbol(version, name);
      const type = symbol && types.of(symbol);
      return type === undefined ? undefined : { type, size: exactSize(symbol!) };
    },
  };
}

/** The memory of a static of one version. */
class FixedStatic implements StaticMemory {
  readonly #version: ModuleVersion;
  readonly #name: string;
  readonly buffer: ArrayBuffer;
  readonly gate: CallGate;

  constructor(version: ModuleVersion, name: string, address: bigint, size: number) {
    this.#version = version;
    this.#name = name;
    this.buffer = version.views.buffers.open(address, size, version).buffer;
    this.gate = version.gate;
  }

  closedError(): Error {
    return this.#version.closedError(this.#name);
  }
}

/** Leases the address of a symbol; `null` if the version does not define it. */
export function leaseAddress(version: ModuleVersion, name: string): AddressLease | null {
  const address = version.canonicalAddresses?.of(name) ?? findAddress(version, name, isAddress);
  if (address === undefined) return null;
  const hold = version.lifetime.hold("lease", `a lease on the address of '${name}'`);
  const use = version.canonicalAddresses?.lease(name);
  return {
    address,
    [Symbol.dispose](): void {
      use?.[Symbol.dispose]();
      hold[Symbol.dispose]();
    },
  };
}

function isVariable(type: number): boolean {
  return isAddress(type) && !isFunction(type);
}

function kindOf(version: ModuleVersion, name: string): SymbolKind | undefined {
  const symbol = findSymbol(version, name);
  if (symbol === undefined || !isAddress(symbol.type)) return undefined;
  const { type, value } = symbol;
  return version.image.plan.isThreadLocal(value)
    ? "a thread-local variable"
    : isFunction(type)
    ? "a function"
    : type === SymbolType.None
    ? "a symbol without a type"
    : "a variable";
}

function isFunction(type: number): boolean {
  return type === SymbolType.Function;
}

/** The symbol of a name that the version defines; exports come first. */
function findSymbol({ image }: ModuleVersion, name: string): SmfSymbol | undefined {
  const { symbols } = image.file;
  const symbol = symbols.findExport(name) ?? symbols.find(name);
  return symbol !== undefined && symbols.isDefined(symbol.index) ? symbol : undefined;
}

/** The address of a symbol that the version defines and whose type is accepted. */
function findAddress(
  version: ModuleVersion,
  name: string,
  accepts: (type: number) => boolean,
): bigint | undefined {
  const symbol = findSymbol(version, name);
  return symbol !== undefined && accepts(symbol.type) && !version.image.plan.isThreadLocal(symbol.value)
    ? symbolAddress(version.image, symbol.index)
    : undefined;
}

/** @throws {LoadError} `Incompatible` if a value of the type has another size than the variable, or ends outside the module. */
function findStatic(version: ModuleVersion, name: string, type: Deno.NativeType): bigint | undefined {
  const symbol = findSymbol(version, name);
  if (symbol === undefined || !isVariable(symbol.type)) return undefined;
  if (version.image.plan.isThreadLocal(symbol.value)) return undefined;
  checkStaticSize(version.path, name, type, exactSize(symbol));
  const address = symbolAddress(version.image, symbol.index);
  const { memory } = version.image;
  const kept = keptHome(version.image, symbol.value);
  const end = kept === undefined ? memory.address + BigInt(memory.size) : address + BigInt(kept.room);
  const size = staticSize(type);
  if (address + BigInt(size) > end) {
    throw new LoadError("Incompatible", `Cannot bind static as ${type}: it ends outside the module`, {
      path: version.path,
      symbol: name,
      size,
      hint: "bind it with the type that it is declared with; smf inspect FILE shows its size",
    });
  }
  return address;
}
