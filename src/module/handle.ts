/**
 * Loaded modules as the user holds them.
 */

import type { CarryReport } from "./carry.ts";
import type { CallPath, TakenPath } from "../call/path.ts";
import { readStatic, staticSize } from "../os/native_memory.ts";
import { bindSymbols } from "../call/symbols.ts";
import { LoadError } from "../errors.ts";
import type { ImportRecord } from "../load/imports/resolve.ts";
import { isAddress } from "../image/plan.ts";
import { symbolAddress } from "../load/loader.ts";
import type { ExecutableMemory } from "../os/memory/allocator.ts";
import { HeaderFlag, SymbolType, symbolTypeName } from "../smf/enums.ts";
import type { SmfHeader } from "../smf/header.ts";
import type { SymbolTable } from "../smf/symbol.ts";
import type { ModuleToken } from "./share/token.ts";
import { ModuleVersion } from "./version.ts";

/** The JavaScript function for a definition, typed as `Deno.dlopen` types its symbols. */
export type Callable<D extends Deno.ForeignFunction> = Deno.StaticForeignLibraryInterface<
  { call: D }
>["call"];

/** What {@linkcode LoadedModule.bind} returns. */
export interface BoundSymbols<S extends Deno.ForeignLibraryInterface> {
  /** A function for each function, a getter that reads the value now for each static. */
  readonly symbols: Deno.StaticForeignLibraryInterface<S>;
}

/** How functions are bound. */
export interface BindOptions {
  /**
   * The way that calls take; see {@linkcode CallPath}.
   *
   * @default what the module was loaded with
   */
  readonly callPath?: CallPath;
}

/** One function that was bound. */
export interface BoundFunction {
  /** The symbol's name. */
  readonly name: string;
  /** The path that its calls take, the first few apart. */
  readonly path: TakenPath;
}

/** One name that a module offers to others. */
export interface ModuleExport {
  /** The symbol's name. */
  readonly name: string;
  /** `Function`, `Data` or another of the format's symbol types. */
  readonly type: string;
  /** In bytes; 0 if the file does not say. */
  readonly size: number;
}

/** A raw address that stays valid until the lease is disposed. */
export interface AddressLease extends Disposable {
  /** Where the symbol lies in this process. */
  readonly address: bigint;
}

let create: (version: ModuleVersion, callPath: CallPath, report?: CarryReport) => LoadedModule;

/**
 * A module in memory, pinned to one version. Handles are counted: closing one
 * leaves the others, closing the last one ends the module.
 *
 * | then | what happens |
 * |---|---|
 * | a call of any of its functions | throws `LoadError` of kind `Closed`; never reaches freed memory |
 * | its memory | is freed as soon as nothing can be running in it: at once, or at the next turn of the event loop when `close` was called from a callback of native code |
 *
 * @example Loading, calling, closing
 * ```ts
 * import { ModuleLoader } from "@simple/loader";
 * import { assertEquals } from "@std/assert";
 *
 * using module = new ModuleLoader().load("fixtures/mylib.smf");
 * const add = module.getFunction("add", { parameters: ["i64", "i64"], result: "i64" });
 * assertEquals(add?.(2n, 3n), 5n);
 * ```
 */
export class LoadedModule implements Disposable, AsyncDisposable {
  readonly #version: ModuleVersion;
  readonly #callPath: CallPath;
  #closed = false;

  static {
    create = (version, callPath, report) => new LoadedModule(version, callPath, report);
  }

  /** What became of the previous version's variables, if this handle came from a reload with `state: "carry"`. */
  readonly carried: CarryReport | undefined;

  private constructor(version: ModuleVersion, callPath: CallPath, report?: CarryReport) {
    version.addHandle();
    this.carried = report;
    this.#version = version;
    this.#callPath = callPath;
  }

  /** The path that was asked for, or the name that was given for bytes. */
  get path(): string {
    return this.#version.path;
  }

  /** The file's header. */
  get header(): SmfHeader {
    return this.#version.image.file.header;
  }

  /** The file's symbols, defined and undefined ones. */
  get symbols(): SymbolTable {
    return this.#version.image.file.symbols;
  }

  /** Counts the versions of this module in its registry, from 1. */
  get version(): number {
    return this.#version.number;
  }

  /** Where code lies: readable and executable, never writable. Size in bytes. */
  get codeMemory(): ExecutableMemory {
    return this.#region("code");
  }

  /** Where variables lie: readable and writable, never executable. Size in bytes. */
  get dataMemory(): ExecutableMemory {
    return this.#region("data");
  }

  /** Whether this handle can be used: neither it nor the module was closed. */
  get isOpen(): boolean {
    return !this.#closed && this.#version.lifetime.state === "open";
  }

  /**
   * A function of the module, by its symbol's name.
   *
   * @param name Of a Function symbol that this module defines, of any binding.
   * @param definition As `Deno.dlopen` takes them. The native code must have this signature.
   * @returns `null` if there is no such symbol or it is no function.
   * @throws {LoadError} `Closed`; `Unsupported` if `callPath: "fast"` cannot be had.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/mylib.smf");
   * assertEquals(module.getFunction("missing", { parameters: [], result: "void" }), null);
   * ```
   */
  getFunction<const D extends Deno.ForeignFunction>(
    name: string,
    definition: D,
    options: BindOptions = {},
  ): Callable<D> | null {
    this.#requireOpen();
    const address = this.#findAddress(name, true);
    return address === undefined ? null : this.#bindOne(name, address, definition, options);
  }

  /**
   * The function that the header names as the program's start.
   *
   * @returns `null` unless the file is marked EXECUTABLE.
   * @throws {LoadError} As {@linkcode LoadedModule.getFunction}.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/main.sme");
   * const main = module.entryPoint({ parameters: [], result: "i32" });
   * assertEquals(main?.(), 7);
   * ```
   */
  entryPoint<const D extends Deno.ForeignFunction>(
    definition: D,
    options: BindOptions = {},
  ): Callable<D> | null {
    this.#requireOpen();
    const { image } = this.#version;
    if ((image.file.header.flags & HeaderFlag.Executable) === 0) return null;
    const place = image.plan.place(image.file.header.entryPoint, 0);
    return this.#bindOne("(entry point)", image.memory.address + BigInt(place), definition, options);
  }

  /**
   * Many symbols at once, as `Deno.dlopen` gives them. All functions that take
   * the fast path share one library, so this is the cheap way to bind many.
   *
   * `optional`, `name` and `nonblocking` mean what they mean there. A static
   * (`{ type }`) is a getter that reads the variable's value now.
   *
   * @throws {LoadError} `UndefinedSymbol`, listing every name that is missing; `Closed`.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/data.smf");
   * const { symbols } = module.bind({
   *   increment: { parameters: [], result: "i64" },
   *   counter: { type: "i64" },
   * });
   * const before = symbols.counter;
   * symbols.increment();
   * assertEquals(symbols.counter, before + 1n);
   * ```
   */
  bind<const S extends Deno.ForeignLibraryInterface>(
    definitions: S,
    options: BindOptions = {},
  ): BoundSymbols<S> {
    this.#requireOpen();
    const version = this.#version;
    const symbols = bindSymbols(
      definitions,
      {
        path: this.path,
        verb: "define",
        functionAddress: (name) => this.#findAddress(name, true),
        staticReader: (name, type) => {
          const address = this.#findStatic(name, type);
          if (address === undefined) return undefined;
          return () => {
            if (!version.gate.open) throw version.closedError(name);
            return readStatic(address, type);
          };
        },
      },
      version.binder,
      options.callPath ?? this.#callPath,
    );
    return { symbols };
  }

  /** Whether the file is marked RELOADABLE: made to be replaced while it runs. */
  isReloadable(): boolean {
    return (this.header.flags & HeaderFlag.Reloadable) !== 0;
  }

  /** The hash of its sources that the file's maker wrote; 0 if none. */
  sourceHash(): bigint {
    return this.header.sourceHash;
  }

  /** What the module offers to others: its defined Global symbols, in file order. */
  exports(): ModuleExport[] {
    const exports: ModuleExport[] = [];
    for (const { index, name, type, size } of this.symbols) {
      if (this.symbols.isExport(index)) exports.push({ name, type: symbolTypeName(type), size });
    }
    return exports;
  }

  /** Where each name that the module uses but does not define was found. */
  imports(): readonly ImportRecord[] {
    return this.#version.image.imports;
  }

  /** The functions that were bound so far, with the path that their calls take. */
  callPaths(): BoundFunction[] {
    return [...this.#version.binder.callPaths()];
  }

  /**
   * Why `callPath: "auto"` does without fast calls; undefined as long as it does
   * not, and before any function was called often enough for one.
   */
  get fallbackReason(): string | undefined {
    return this.#version.binder.fallbackReason;
  }

  /**
   * A raw address, for native code. The module's memory stays until the lease
   * is disposed, also after `close`.
   *
   * @returns `null` if the module does not define such a symbol.
   * @throws {LoadError} `Closed`.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assert } from "@std/assert";
   *
   * using module = new ModuleLoader().load("fixtures/mylib.smf");
   * using lease = module.addressOf("add");
   * assert(lease !== null && lease.address > 0n);
   * ```
   */
  addressOf(name: string): AddressLease | null {
    this.#requireOpen();
    const address = this.#findAddress(name, false);
    if (address === undefined) return null;
    const hold = this.#version.lifetime.hold("lease", `a lease on the address of '${name}'`);
    return { address, [Symbol.dispose]: () => hold[Symbol.dispose]() };
  }

  /**
   * A token with which other isolates can use this module: the same code, the
   * same variables, no second load. `postMessage` carries it.
   *
   * When the module is closed here, calls throw there from the next turn of
   * their event loops on, and its memory is freed once every isolate has had
   * one. An isolate that never comes back to its event loop keeps it for as
   * long.
   *
   * @throws {LoadError} `Closed`; `Unsupported` if the module was loaded with
   * an allocator of your own, which other isolates cannot use.
   *
   * @example
   * ```ts
   * import { LoadedModule, ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * await using module = new ModuleLoader().load("fixtures/mylib.smf");
   * const token = structuredClone(module.share()); // as postMessage does
   *
   * // In the Worker:
   * using attached = LoadedModule.attach(token);
   * const add = attached.getFunction("add", { parameters: ["i64", "i64"], result: "i64" });
   * assertEquals(add?.(2n, 3n), 5n);
   * ```
   */
  share(): ModuleToken {
    this.#requireOpen();
    return this.#version.share();
  }

  /**
   * The module that a token is for, in this isolate: with bindings of its own.
   * Closing it here leaves the others. Needs `--allow-ffi` as loading does.
   *
   * @param token What `share()` gave, in this process.
   * @throws {LoadError} `InvalidToken`; `Closed` if the owner has closed the
   * module; `Busy` if 1024 isolates are attached.
   */
  static attach(token: ModuleToken, options: BindOptions = {}): LoadedModule {
    return new LoadedModule(ModuleVersion.attach(token), options.callPath ?? "auto");
  }

  /** Who needs the module beside its handles: importers, leases, nonblocking calls, other isolates. */
  holders(): string[] {
    return [...new Set(this.#version.lifetime.holders().map(({ description }) => description))];
  }

  /**
   * Gives this handle back; the last one ends the module. Closing twice does
   * nothing.
   *
   * @throws {LoadError} `Busy` if it is the last handle and a nonblocking call
   * is in flight or another module imports from this one; then nothing has
   * changed. `OutOfMemory` if the system refuses to take the memory back.
   */
  close(): void {
    if (this.#closed) return;
    this.#version.dropHandle();
    this.#closed = true;
  }

  /**
   * As {@linkcode LoadedModule.close}, but waits where that is busy: calls
   * throw at once, and the result settles when the memory is freed. Modules
   * that import from each other are freed together, with the last of them:
   * none waits for another one to be closed.
   */
  async closeAsync(): Promise<void> {
    const { lifetime } = this.#version;
    if (this.#closed) {
      // It may have failed before: try again.
      if (lifetime.state !== "open") await lifetime.freed();
      return;
    }
    this.#closed = true;
    await this.#version.dropHandleAsync();
  }

  /** As {@linkcode LoadedModule.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** As {@linkcode LoadedModule.closeAsync}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeAsync();
  }

  #requireOpen(): void {
    if (this.#closed) throw this.#version.lifetime.closedError();
    this.#version.lifetime.requireOpen();
  }

  #region(name: "code" | "data"): ExecutableMemory {
    this.#requireOpen();
    const { memory, plan } = this.#version.image;
    const { offset, length } = plan[name];
    return { address: memory.address + BigInt(offset), size: length };
  }

  #findAddress(name: string, onlyFunctions: boolean): bigint | undefined {
    const { image } = this.#version;
    const { symbols } = image.file;
    const symbol = symbols.findExport(name) ?? symbols.find(name);
    if (symbol === undefined || !symbols.isDefined(symbol.index)) return undefined;
    const fits = onlyFunctions ? symbol.type === SymbolType.Function : isAddress(symbol.type);
    return fits ? symbolAddress(image, symbol.index) : undefined;
  }

  #findStatic(name: string, type: Deno.NativeType): bigint | undefined {
    const address = this.#findAddress(name, false);
    if (address === undefined) return undefined;
    const { memory } = this.#version.image;
    const end = memory.address + BigInt(memory.size);
    if (address + BigInt(staticSize(type)) > end) {
      throw new LoadError("Incompatible", `Cannot bind static as ${type}: it would end outside the module`, {
        path: this.path,
        symbol: name,
      });
    }
    return address;
  }

  #bindOne<D extends Deno.ForeignFunction>(
    name: string,
    address: bigint,
    definition: D,
    options: BindOptions,
  ): Callable<D> {
    const [callable] = this.#version.binder.bind(
      [{ name, address, definition }],
      options.callPath ?? this.#callPath,
    );
    return callable as Callable<D>;
  }
}

/** A new handle on a version. */
export function openHandle(version: ModuleVersion, callPath: CallPath, report?: CarryReport): LoadedModule {
  return create(version, callPath, report);
}
