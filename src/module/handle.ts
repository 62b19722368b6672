/**
 * Handles: loaded modules as the user holds them.
 */

import type { CallPath } from "../call/path.ts";
import { checkOptions } from "../errors/options.ts";
import type { ExecutableMemory } from "../os/memory/allocator.ts";
import {
  type AddressLease,
  BIND_OPTIONS,
  bindAll,
  bindEntryPoint,
  bindFunction,
  type BindOptions,
  type BoundSymbols,
  type Callable,
  leaseAddress,
} from "./binding.ts";
import type { CarryReport } from "./carry.ts";
import type { ModuleToken } from "./share/token.ts";
import { ModuleVersion } from "./version.ts";
import { ViewedModule } from "./viewed_module.ts";

let create: (version: ModuleVersion, callPath: CallPath, report?: CarryReport) => LoadedModule;

/**
 * A module in memory, fixed to one version. Handles are counted: closing one
 * leaves the others, closing the last one ends the module.
 *
 * | after the end | effect |
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
export class LoadedModule extends ViewedModule implements Disposable, AsyncDisposable {
  readonly #version: ModuleVersion;
  readonly #callPath: CallPath;
  #closed = false;

  static {
    create = (version, callPath, report) => new LoadedModule(version, callPath, report);
  }

  /** Reports how the previous version's variables were carried, if a reload with `state: "carry"` gave this handle. */
  readonly carried: CarryReport | undefined;

  private constructor(version: ModuleVersion, callPath: CallPath, report?: CarryReport) {
    version.addHandle();
    super(version);
    this.carried = report;
    this.#version = version;
    this.#callPath = callPath;
  }

  /** The range of code: readable and executable, never writable. Its size is in bytes. */
  get codeMemory(): ExecutableMemory {
    return this.#region("code");
  }

  /** The range of variables: readable and writable, never executable. Its size is in bytes. */
  get dataMemory(): ExecutableMemory {
    return this.#region("data");
  }

  /** Whether this handle can be used: neither it nor the module is closed. */
  get isOpen(): boolean {
    return !this.#closed && this.#version.lifetime.state === "open";
  }

  /**
   * Binds a function of the module by its symbol's name.
   *
   * Safety: the definition is not checked against the native code. A wrong
   * signature, or a pointer that native code must not use, corrupts memory or
   * crashes the process.
   *
   * Platforms: fast calls work on Linux and Windows; on Windows they need
   * `--allow-read` and `--allow-write` for the folder of temporary files.
   * Elsewhere `callPath: "auto"` calls through `Deno.UnsafeFnPointer`.
   *
   * @param name The name of a Function symbol that this module defines, of any binding.
   * @param definition The function's signature, as `Deno.dlopen` takes it.
   * @returns `null` if the symbol does not exist or is not a function.
   * @throws {LoadError} `Closed`; `Unsupported` if `callPath: "fast"` is not possible.
   * @throws {TypeError} for a definition that describes no function.
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
    return bindFunction(this.#version, name, definition, this.#callPathOf("bind function", options));
  }

  /**
   * Binds the function that the header names as the entry point.
   *
   * Safety, Platforms: as for {@linkcode LoadedModule.getFunction}.
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
    return bindEntryPoint(this.#version, definition, this.#callPathOf("bind entry point", options));
  }

  /**
   * Binds many symbols at once, as `Deno.dlopen` does. All functions that take
   * the fast path share one library, so this is the cheap way to bind many.
   *
   * `optional`, `name` and `nonblocking` have the same meaning as there. A static
   * (`{ type }`) becomes a getter that reads the variable's current value.
   *
   * Safety, Platforms: as for {@linkcode LoadedModule.getFunction}. The size of
   * a static is checked, its type is not; one that is a pointer is only as valid
   * as native code keeps it.
   *
   * @throws {LoadError} `UndefinedSymbol`, listing every name that is missing;
   * `Incompatible` for a static that does not have its variable's size, a function
   * bound as a static, or a variable bound as a function; `Closed`.
   * @throws {TypeError} for a definition that describes no function or variable.
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
    return bindAll(this.#version, definitions, this.#callPathOf("bind", options));
  }

  /**
   * Leases a raw address, for native code. The module's memory stays until the
   * lease is disposed of, also after `close`. A registry's modules have one
   * address for an exported function, over all reloads: it leads to the current
   * version.
   *
   * Safety: calls and accesses through the address are not checked. After the
   * lease is disposed of, they reach freed memory and can crash the process.
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
    return leaseAddress(this.#version, name);
  }

  /**
   * Makes a token with which other isolates can use this module: the same code,
   * the same variables, no second load. `postMessage` carries it.
   *
   * When the module is closed here, calls in another isolate throw from the next
   * turn of its event loop on, and the memory is freed once every isolate has had
   * such a turn. An isolate that never returns to its event loop keeps it for as
   * long.
   *
   * Safety: all isolates use the same variables at the same time. Native code that
   * is not thread-safe corrupts them.
   * A Worker that has a token is not contained, whatever its permissions: by writing
   * to the token's shared memory it can crash the process.
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
   * Attaches this isolate to the module that a token is for. The handle has
   * bindings of its own, and closing it leaves the other isolates. Needs
   * `--allow-ffi`, as loading does.
   *
   * Safety: as for {@linkcode LoadedModule.share}.
   *
   * @param token The result of `share()`, in this process.
   * @throws {LoadError} `InvalidToken`; `Closed` if the owner has closed the
   * module; `Busy` if 1024 isolates are attached.
   */
  static attach(token: ModuleToken, options: BindOptions = {}): LoadedModule {
    checkOptions("attach module", options, BIND_OPTIONS);
    return new LoadedModule(ModuleVersion.attach(token), options.callPath ?? "auto");
  }

  /** Describes everything that needs the module beside its handles: importers, leases, nonblocking calls, Workers. */
  holders(): string[] {
    return [...new Set(this.#version.lifetime.holders().map(({ description }) => description))];
  }

  /**
   * Closes this handle; closing the last one ends the module. Closing again does
   * nothing.
   *
   * @throws {LoadError} `Busy` if it is the last handle and a nonblocking call
   * is in flight or another module imports from this one; then nothing has
   * changed. `OutOfMemory` if the system refuses to take the memory back.
   */
  close(): void {
    if (this.#closed) return;
    this.#version.closeHandle();
    this.#closed = true;
  }

  /**
   * Like {@linkcode LoadedModule.close}, but waits where that throws `Busy`: calls
   * throw at once, and the result settles when the memory is freed. Modules that
   * import from each other are freed together, with the last of them: none waits
   * for another one to be closed.
   */
  async closeAsync(): Promise<void> {
    const { lifetime } = this.#version;
    if (this.#closed) {
      // Closing may have failed before: this tries again.
      if (lifetime.state !== "open") await lifetime.revokeAndWait();
      return;
    }
    this.#closed = true;
    await this.#version.closeHandleAsync();
  }

  /** Does the same as {@linkcode LoadedModule.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Does the same as {@linkcode LoadedModule.closeAsync}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeAsync();
  }

  /** The call path for a binding, whose options it checks. */
  #callPathOf(task: string, options: BindOptions): CallPath {
    this.#requireOpen();
    checkOptions(task, options, BIND_OPTIONS);
    return options.callPath ?? this.#callPath;
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
}

/** Opens a handle on a version. */
export function openHandle(version: ModuleVersion, callPath: CallPath, report?: CarryReport): LoadedModule {
  return create(version, callPath, report);
}
