/**
 * Binding the symbols of one version: finds their addresses and makes functions,
 * getters and leases of them.
 */

import { CALL_PATH, type CallPath, type TakenPath } from "../call/path.ts";
import type { CallGate } from "../call/gate.ts";
import { judgeFunction } from "../call/definition.ts";
import { type StaticMemory, staticReader } from "../call/static_reader.ts";
import { checkStaticSize } from "../call/statics.ts";
import { bindSymbols, type SymbolKind } from "../call/symbols.ts";
import { LoadError } from "../errors/load_error.ts";
import type { OptionTable } from "../errors/options.ts";
import { isAddress } from "../image/plan.ts";
import { symbolAddress } from "../load/loader.ts";
import { readStatic, staticSize } from "../os/native_memory.ts";
import { HeaderFlag, SymbolType } from "../smf/enums.ts";
import type { SmfSymbol } from "../smf/symbol.ts";
import type { ModuleVersion } from "./version.ts";

/** The JavaScript function for a definition, typed as `Deno.dlopen` types its symbols. */
export type Callable<D extends Deno.ForeignFunction> = Deno.StaticForeignLibraryInterface<
  { call: D }
>["call"];

/** The result of {@linkcode LoadedModule.bind}. */
export interface BoundSymbols<S extends Deno.ForeignLibraryInterface> {
  /** A function for each function, and for each static a getter that reads its current value. */
  readonly symbols: Deno.StaticForeignLibraryInterface<S>;
}

/** How functions are bound. */
export interface BindOptions {
  /**
   * The way that calls take; see {@linkcode CallPath}.
   *
   * @default the call path that the module was loaded with
   */
  readonly callPath?: CallPath;
}

/** The checks of {@linkcode BindOptions}. */
export const BIND_OPTIONS: OptionTable<BindOptions> = { callPath: CALL_PATH };

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
export function bindFunction<D extends Deno.ForeignFunction>(
  version: ModuleVersion,
  name: string,
  definition: D,
  callPath: CallPath,
): Callable<D> | null {
  judgeFunction(name, definition);
  const address = findAddress(version, name, isFunction);
  return address === undefined ? null : bindAddress(version, name, address, definition, callPath);
}

/** Names the entry point in messages. */
const ENTRY_POINT = "(entry point)";

/** Binds the function that the header names as the entry point; `null` unless the file is marked EXECUTABLE. */
export function bindEntryPoint<D extends Deno.ForeignFunction>(
  version: ModuleVersion,
  definition: D,
  callPath: CallPath,
): Callable<D> | null {
  judgeFunction(ENTRY_POINT, definition);
  const { file, memory, plan } = version.image;
  if ((file.header.flags & HeaderFlag.Executable) === 0) return null;
  const address = memory.address + BigInt(plan.place(file.header.entryPoint, 0));
  return bindAddress(version, ENTRY_POINT, address, definition, callPath);
}

function bindAddress<D extends Deno.ForeignFunction>(
  version: ModuleVersion,
  name: string,
  address: bigint,
  definition: D,
  callPath: CallPath,
): Callable<D> {
  const [callable] = version.binder.bind([{ name, address, definition }], callPath);
  return callable as Callable<D>;
}

/**
 * Binds all symbols of `definitions`.
 *
 * @throws {LoadError} `UndefinedSymbol`, listing every name that is missing;
 * `Incompatible` for a static that does not have its variable's size, or a name that is something else.
 */
export function bindAll<S extends Deno.ForeignLibraryInterface>(
  version: ModuleVersion,
  definitions: S,
  callPath: CallPath,
): BoundSymbols<S> {
  const source = {
    path: version.path,
    verb: "define",
    functionAddress: (name: string) => findAddress(version, name, isFunction),
    staticReader: (name: string, type: Deno.NativeType) => {
      const address = findStatic(version, name, type);
      if (address === undefined) return undefined;
      const memory = new FixedStatic(version, name, address, staticSize(type));
      return staticReader(type, memory) ?? (() => {
        memory.requireOpen();
        return readStatic(address, type);
      });
    },
    kind: (name: string) => kindOf(version, name),
  };
  return { symbols: bindSymbols(definitions, source, version.binder, callPath) };
}

/** The memory of a static of one version. */
class FixedStatic implements StaticMemory {
  readonly #version: ModuleVersion;
  readonly #name: string;
  readonly #address: bigint;
  readonly #size: number;
  readonly #gate: CallGate;
  #view: DataView | undefined;

  constructor(version: ModuleVersion, name: string, address: bigint, size: number) {
    this.#version = version;
    this.#name = name;
    this.#address = address;
    this.#size = size;
    this.#gate = version.gate;
  }

  view(): DataView {
    this.requireOpen();
    return this.#view ??= this.#open();
  }

  requireOpen(): void {
    if (!this.#gate.open) throw this.#version.closedError(this.#name);
  }

  #open(): DataView {
    const version = this.#version;
    return new DataView(version.views.buffers.open(this.#address, this.#size, version).buffer);
  }
}

/** Leases the address of a symbol; `null` if the version does not define it. */
export function leaseAddress(version: ModuleVersion, name: string): AddressLease | null {
  const address = version.canonicalAddress?.(name) ?? findAddress(version, name, isAddress);
  if (address === undefined) return null;
  const hold = version.lifetime.hold("lease", `a lease on the address of '${name}'`);
  return { address, [Symbol.dispose]: () => hold[Symbol.dispose]() };
}

function isVariable(type: number): boolean {
  return isAddress(type) && !isFunction(type);
}

function kindOf(version: ModuleVersion, name: string): SymbolKind | undefined {
  const type = findSymbol(version, name)?.type;
  if (type === undefined || !isAddress(type)) return undefined;
  return isFunction(type)
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
  return symbol !== undefined && accepts(symbol.type)
    ? symbolAddress(version.image, symbol.index)
    : undefined;
}

/** @throws {LoadError} `Incompatible` if a value of the type has another size than the variable, or ends outside the module. */
function findStatic(version: ModuleVersion, name: string, type: Deno.NativeType): bigint | undefined {
  const symbol = findSymbol(version, name);
  if (symbol === undefined || !isVariable(symbol.type)) return undefined;
  checkStaticSize(version.path, name, type, symbol.size);
  const address = symbolAddress(version.image, symbol.index);
  const { memory } = version.image;
  const end = memory.address + BigInt(memory.size);
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
