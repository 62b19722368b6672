/**
 * Handles: loaded modules as the user holds them.
 */

import { showAs, shownAddress, shownNames, shownSize } from "../os/inspection.ts";
import { cutStacks } from "../errors/edge.ts";
import { checkOptions } from "../errors/options.ts";
import type { ExecutableMemory } from "../os/memory/allocator.ts";
import { ATTACH_OPTIONS, type AttachOptions } from "./binding.ts";
import { BoundModule, type HandleOptions } from "./bound_module.ts";
import { ViewedModule } from "./viewed_module.ts";
import type { CarryReport } from "./carry.ts";
import type { ModuleToken } from "./share/token.ts";
import { endQuarantine, isQuarantined } from "../load/runtime/crash_guard.ts";
import { ModuleVersion } from "./version.ts";

let create: (version: ModuleVersion, options: HandleOptions, report?: CarryReport) => LoadedModule;

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
export class LoadedModule extends BoundModule implements Disposable, AsyncDisposable {
  readonly #version: ModuleVersion;
  #closed = false;

  static {
    create = (version, options, report) => new LoadedModule(version, options, report);
    showAs(this.prototype, "LoadedModule", (module) => #version in module ? module.#facts() : {});
    for (const { prototype } of [ViewedModule, BoundModule, this]) cutStacks(prototype);
  }

  /** Reports what became of variables, if a reload with `state: "keep"` or `"carry"` gave this handle. */
  readonly carried: CarryReport | undefined;

  private constructor(version: ModuleVersion, options: HandleOptions, report?: CarryReport) {
    version.addHandle();
    super(version, options);
    this.carried = report;
    this.#version = version;
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
  override get isOpen(): boolean {
    return !this.#closed && this.#version.lifetime.state === "open";
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
   * module; `Busy` if 1024 isolates are attached; `Unsupported` for `onCrash: "throw"` where it is not possible,
   * and for a module whose registry has `crashReport: false` and has not asked for it.
   */
  static attach(token: ModuleToken, options: AttachOptions = {}): LoadedModule {
    checkOptions("attach module", options, ATTACH_OPTIONS);
    const { callPath = "auto", onCrash } = options;
    const version = ModuleVersion.attach(token);
    using undo = new DisposableStack();
    undo.defer(() => version.lifetime.revokeQuietly());
    const attached = openHandle(version, { callPath, onCrash });
    undo.move();
    return attached;
  }

  /** Describes everything that needs the module beside its handles: importers, leases, nonblocking calls, Workers. */
  holders(): string[] {
    return this.#version.lifetime.describeHolders();
  }

  /**
   * Whether this version has crashed, in a call with `onCrash: "throw"`, in this isolate
   * or in another one: calls of functions that were bound with that option throw
   * `Quarantined`. A reload or rollback that makes a version the current one ends it.
   */
  get isQuarantined(): boolean {
    this.#requireOpen();
    return isQuarantined(this.#version.image);
  }

  /**
   * Lets calls through again after a crash, in all isolates.
   *
   * Safety: the module's variables, its heap and the locks that it held are as the
   * crash has left them.
   *
   * @throws {LoadError} `Closed`.
   */
  endQuarantine(): void {
    this.#requireOpen();
    endQuarantine(this.#version.image);
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

  /** The facts that `console.log` shows. */
  #facts(): unknown {
    const { image: { memory: { address, size } } } = this.#version;
    const { path, version, isOpen, carried } = this;
    return {
      path,
      version,
      isOpen,
      exports: shownNames(this.exports().map(({ name }) => name)),
      imports: shownNames(this.imports().map(({ name }) => name)),
      address: shownAddress(address),
      size: shownSize(size),
      holders: this.holders(),
      ...(carried !== undefined && { carried }),
    };
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
export function openHandle(
  version: ModuleVersion,
  options: HandleOptions,
  report?: CarryReport,
): LoadedModule {
  if (options.onCrash === "throw") version.guards();
  return create(version, options, report);
}
