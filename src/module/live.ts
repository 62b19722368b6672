/**
 * Live libraries: bindings that follow a module's reloads.
 */

import type { Definitions, SymbolsOf } from "../call/function_definition.ts";
import { type CrashOptions, ON_CRASH } from "../call/guard.ts";
import { judgeWanted, type Wanted } from "../call/typed_definitions.ts";
import { showAs, shownNames } from "../os/inspection.ts";
import { cutStacks } from "../errors/edge.ts";
import { LoadError } from "../errors/load_error.ts";
import { checkOptions } from "../errors/options.ts";
import { BIND_OPTIONS, type BindOptions, type ModuleSymbols } from "./binding.ts";
import type { ViewDescription, ViewOf } from "../call/view/description.ts";
import { LiveBindings, type LiveOptions, type LiveSource } from "./live_bindings.ts";
import type { LiveView } from "./live_variables.ts";
import { attachLiveSource } from "./share/attach_live.ts";
import type { LiveToken } from "./share/token.ts";
import { checkDescription } from "./viewed_module.ts";

let create: (source: LiveSource, wanted: Wanted, options: LiveOptions) => LiveLibrary;
let bindByName: (library: LiveLibrary, name: string) => object;
let exportNames: (library: LiveLibrary) => Iterable<string>;

/** How live functions are bound in an isolate that attaches to them. */
export interface AttachLiveOptions extends BindOptions, CrashOptions {}

/** A library of symbols that were opened by the module's types. */
export type TypedLibrary<Name extends string = string> = LiveLibrary<
  Definitions,
  ModuleSymbols<Name>
>;

/**
 * Functions and variables of a module that follow its reloads: the JavaScript
 * functions stay the same for ever and run the newest committed code.
 *
 * `ModuleRegistry.open` makes them. A call costs as much as a call of a function
 * that is bound to one version.
 *
 * Safety: definitions are compared with the types that the module keeps. If it
 * keeps none, a signature that is wrong, or that a later version changes,
 * corrupts memory or crashes the process.
 *
 * Platforms: as for {@linkcode LoadedModule.getFunction}.
 *
 * @example
 * ```ts
 * import { ModuleRegistry } from "@simple/loader";
 * import { assertEquals } from "@std/assert";
 *
 * using registry = new ModuleRegistry();
 * const version1 = Deno.readFileSync("fixtures/counter_v1.smf");
 * const version2 = Deno.readFileSync("fixtures/counter_v2.smf");
 * registry.loadBytes("counter", version1);
 * using counter = registry.open("counter", { answer: { parameters: [], result: "i32" } });
 * const { answer } = counter.symbols;
 * assertEquals(answer(), 41);
 * registry.reload("counter", { bytes: version2 });
 * assertEquals(answer(), 42);
 * ```
 */
export class LiveLibrary<
  S extends Definitions = Definitions,
  Symbols = SymbolsOf<S>,
> implements Disposable, AsyncDisposable {
  readonly #bindings: LiveBindings;
  readonly #options: LiveOptions;
  /**
   * A function for each function, and for each static a getter that reads its
   * current value. Frozen; the same objects over all versions.
   */
  readonly symbols: Symbols;
  /**
   * The exports that cannot be called or read, each with the reason, such as `it
   * is variadic`, if all were opened; else empty.
   */
  readonly leftOut: ReadonlyMap<string, string>;

  static {
    create = (source, wanted, options) => new LiveLibrary(source, wanted, options);
    bindByName = (library, name) => library.#bindings.bind([name], library.#options).symbols;
    exportNames = (library) => library.#bindings.exportNames();
    showAs(this.prototype, "LiveLibrary", (library) => #bindings in library ? library.#facts() : {});
    cutStacks(this.prototype);
  }

  private constructor(source: LiveSource, wanted: Wanted, options: LiveOptions) {
    const bindings = new LiveBindings(source);
    using undo = new DisposableStack();
    undo.defer(() => bindings.lifetime.revokeQuietly());
    this.#bindings = bindings;
    this.#options = options;
    const { symbols, leftOut } = bindings.bind(wanted, options);
    this.symbols = symbols as Symbols;
    this.leftOut = leftOut;
    undo.move();
  }

  /** The module's path, or the name that was given for bytes. */
  get path(): string {
    return this.#bindings.path;
  }

  /** Whether calls go through. */
  get isOpen(): boolean {
    return this.#bindings.gate.open;
  }

  /**
   * Gives a view of an exported variable that follows reloads: its `value` is what
   * {@linkcode LoadedModule.view} gives for the current version. A reload detaches the
   * value of the old version at once, and the next read of `value` gives that of the
   * new one, by the types that the new version keeps: fields that it adds are there.
   *
   * A later version may not lack the variable. One in which it is smaller than the
   * description makes the next read of `value` an error.
   *
   * Safety: as for {@linkcode LoadedModule.view}.
   *
   * @param name The name of an exported variable.
   * @param description Describes the variable, if the module keeps no types of it.
   * @returns the same object for the same variable, over all versions.
   * @throws {LoadError} As {@linkcode LoadedModule.view}; `Unsupported` in isolates that have attached.
   * @throws {TypeError} for a description that is not one.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * using data = registry.open("fixtures/data.smf", { increment: { parameters: [], result: "i64" } });
   * const counter = data.view("counter", { type: "i64" });
   * const before = counter.value[0];
   * data.symbols.increment();
   * assertEquals(counter.value[0], before + 1n);
   * ```
   */
  view<const D extends ViewDescription>(name: string, description: D): LiveView<ViewOf<D>>;
  /** Gives a view by the types that the module keeps. */
  view<V = unknown>(name: string): LiveView<V>;
  /** Implements both. */
  view(name: string, description?: ViewDescription): LiveView<unknown> {
    const size = checkDescription(description);
    return this.#bindings.view(name, description, size);
  }

  /**
   * Makes a token with which other isolates can call the same functions. A reload
   * in the isolate that owns the module takes effect in all of them immediately.
   *
   * @throws {LoadError} `Closed`; `Unsupported` if the module cannot be shared.
   */
  share(): LiveToken {
    return this.#bindings.share();
  }

  /**
   * Binds the live functions that a token is for, in this isolate.
   *
   * Safety: as for {@linkcode LiveLibrary}.
   *
   * @param token The result of `share()`, in this process.
   * @param definitions Exports of the module, whether or not the owner has opened them. A later version may not
   * lack those that are bound here.
   * @throws {LoadError} `InvalidToken`, `Closed`, `Busy`; `UndefinedSymbol`, listing every name that is missing, or
   * that a reload since `share()` has removed; `Incompatible` as {@linkcode LoadedModule.bind}.
   * @throws {TypeError} for a definition or an option that is not one.
   *
   * @example
   * ```ts
   * import { LiveLibrary, ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * await using registry = new ModuleRegistry();
   * registry.loadBytes("counter", Deno.readFileSync("fixtures/counter_v1.smf"));
   * const definitions = { answer: { parameters: [], result: "i32" } } as const;
   * const token = structuredClone(registry.open("counter", definitions).share()); // as postMessage does
   *
   * // In the Worker:
   * using attached = LiveLibrary.attach(token, definitions);
   * assertEquals(attached.symbols.answer(), 41);
   * ```
   */
  static attach<const S extends Definitions>(
    token: LiveToken,
    definitions: S,
    options?: AttachLiveOptions,
  ): LiveLibrary<S>;
  /**
   * Binds live functions in this isolate by the types that the module keeps, as
   * {@linkcode BoundModule.bind} does without definitions.
   *
   * Safety: as for {@linkcode LiveLibrary}.
   *
   * @param token The result of `share()`, in this process.
   * @param names The exports to bind. Default: all.
   * @throws {LoadError} As above, and as {@linkcode BoundModule.bind}.
   * @throws {TypeError} for a name that is not a string, or an option that is not one.
   */
  static attach<const Name extends string = string>(
    token: LiveToken,
    names?: readonly Name[],
    options?: AttachLiveOptions,
  ): TypedLibrary<Name>;
  static attach(
    token: LiveToken,
    wanted: Wanted,
    options: AttachLiveOptions = {},
  ): LiveLibrary | TypedLibrary {
    checkOptions("attach live functions", options, { ...BIND_OPTIONS, onCrash: ON_CRASH });
    const { callPath = "auto", types = "check", integers, onCrash = "end" } = options;
    judgeWanted(wanted, types, integers);
    return create(attachLiveSource(token), wanted, { callPath, types, integers, onCrash });
  }

  /**
   * Ends these bindings; the module stays for as long as anything else needs it.
   * Closing again does nothing.
   *
   * @throws {LoadError} `Busy` while a nonblocking call is in flight; then nothing has changed.
   */
  close(): void {
    const { lifetime } = this.#bindings;
    if (lifetime.state !== "open") return;
    lifetime.requireNoCalls();
    lifetime.revoke();
  }

  /** Like {@linkcode LiveLibrary.close}, but waits for nonblocking calls. */
  async closeAsync(): Promise<void> {
    await this.#bindings.lifetime.revokeAndWait();
  }

  /** The facts that `console.log` shows. */
  #facts(): unknown {
    const { path, isOpen, symbols, leftOut } = this;
    return {
      path,
      isOpen,
      symbols: shownNames(Object.keys(symbols as object)),
      ...(leftOut.size > 0 && { leftOut: shownNames([...leftOut.keys()]) }),
    };
  }

  /** Does the same as {@linkcode LiveLibrary.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Does the same as {@linkcode LiveLibrary.closeAsync}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeAsync();
  }
}

/** Opens a live library on `source`, which it takes over. */
export function openLive(source: LiveSource, wanted: Wanted, options: LiveOptions): LiveLibrary {
  return create(source, wanted, options);
}

/**
 * Binds the exports that the current version has beside those of `known`; they belong to the library.
 *
 * @returns the properties for them, and the reason of each that cannot be bound.
 */
export function bindAdded(
  library: LiveLibrary,
  known: ReadonlySet<string>,
): { readonly symbols: PropertyDescriptorMap; readonly leftOut: ReadonlyMap<string, string> } {
  const symbols: PropertyDescriptorMap = {};
  const leftOut = new Map<string, string>();
  for (const name of exportNames(library)) {
    if (known.has(name)) continue;
    try {
      Object.assign(symbols, Object.getOwnPropertyDescriptors(bindByName(library, name)));
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      leftOut.set(name, error.message);
    }
  }
  return { symbols, leftOut };
}
