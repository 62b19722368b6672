/**
 * Modules that are loaded once each and linked with each other, without reloads.
 */

import type { Definitions } from "../call/function_definition.ts";
import { judgeWanted, type Wanted } from "../call/typed_definitions.ts";
import { checkOptions } from "../errors/options.ts";
import { Loading } from "./loading.ts";
import type { LiveLibrary, TypedLibrary } from "../module/live.ts";
import { openLibrary } from "./live_source.ts";
import type { LoadedModule } from "../module/handle.ts";
import {
  type LoadOptions,
  type ModuleRegistryOptions,
  OPEN_OPTIONS,
  type OpenOptions,
  REGISTRY_OPTIONS,
  UNLOAD_OPTIONS,
  type UnloadOptions,
} from "./options.ts";
import { pathOf, requireBytes, requireName } from "../load/file/source.ts";
import { PendingLoads } from "./pending_loads.ts";

/** Set by {@linkcode ModuleSet}, which alone can read its private field. */
let readLoading: (set: ModuleSet) => Loading;

/** The loading of a registry, for the class that adds reloads. */
export function loadingOf(set: ModuleSet): Loading {
  return readLoading(set);
}

/**
 * The part of a {@linkcode ModuleRegistry} that loads, links and ends modules.
 *
 * Each method throws a `TypeError` for an option that it does not have and for a
 * value that the option does not take; the message names the valid ones.
 *
 * Safety: loading a module runs its initialisers, and its code can do whatever
 * the process can, whatever Deno's other permissions are. Load only what you
 * would start as a program. Loading needs `--allow-ffi`, and `--allow-read`
 * for files.
 */
export abstract class ModuleSet implements Disposable, AsyncDisposable {
  readonly #loading: Loading;
  readonly #pending: PendingLoads;

  static {
    readLoading = (set) => set.#loading;
  }

  /** Opens nothing and needs no permission. */
  protected constructor(options: ModuleRegistryOptions) {
    checkOptions("create registry", options, REGISTRY_OPTIONS);
    this.#loading = new Loading(options);
    this.#pending = new PendingLoads(this.#loading);
  }

  /**
   * Gives a handle on the module at a path, which is loaded if it is not yet.
   *
   * Platforms: on Windows, all spellings that the system resolves to one file
   * are one module, such as those with another case of the drive letter.
   *
   * @param path The file's path, or a `file:` URL.
   * @throws {LoadError} Of every kind but `Busy`; nothing stays behind.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * const module = registry.load("fixtures/mylib.smf");
   * const again = registry.load(new URL("fixtures/mylib.smf", `file://${Deno.cwd()}/`));
   * assertEquals(again.codeMemory, module.codeMemory);
   * ```
   */
  load(path: string | URL, options: LoadOptions = {}): LoadedModule {
    const loading = this.#loading.forLoad(options);
    const file = pathOf(path);
    const key = loading.catalog.keyOf(file);
    const entry = loading.catalog.get(key) ?? loading.enter(key, loading.read(key, file, 1, options));
    return loading.handle(entry, options);
  }

  /**
   * Like {@linkcode ModuleSet.load}, without blocking the event loop. Callers
   * that ask for the same module at the same time share one load.
   *
   * @throws {LoadError} As {@linkcode ModuleSet.load}: the promise rejects.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * const path = "fixtures/mylib.smf";
   * const [one, two] = await Promise.all([registry.loadAsync(path), registry.loadAsync(path)]);
   * assertEquals(one.codeMemory, two.codeMemory);
   * ```
   */
  async loadAsync(path: string | URL, options: LoadOptions = {}): Promise<LoadedModule> {
    const { catalog, ending } = this.#loading.forLoad(options);
    const file = pathOf(path);
    const key = await catalog.keyOfAsync(file);
    ending.requireOpen();
    const entry = catalog.get(key);
    return entry === undefined
      ? this.#pending.load(key, file, options)
      : this.#loading.handle(entry, options);
  }

  /**
   * Loads modules that may import from each other, in a circle if need be.
   * The initialisers of a module run before those of modules that import from it,
   * in any order of the paths; those of a circle run in the order of the paths.
   * If one module cannot be loaded, none is.
   *
   * @param paths The files' paths; modules that are loaded already get another handle.
   * @returns handles in the order of the paths.
   * @throws {LoadError} As {@linkcode ModuleSet.load}.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * const [importer] = registry.loadAll(["fixtures/importer.smf", "fixtures/provider.smf"]);
   * assertEquals(importer.imports()[0].name, "scale");
   * ```
   */
  loadAll(paths: readonly (string | URL)[]): LoadedModule[] {
    const loading = this.#open();
    const { catalog } = loading;
    const files = new Map(paths.map((path) => [catalog.keyOf(pathOf(path)), pathOf(path)]));
    loading.loadNew([...files].filter(([key]) => catalog.get(key) === undefined));
    return paths.map((path) => loading.handle(catalog.find(path)!));
  }

  /**
   * Like {@linkcode ModuleSet.load}, from the bytes of a file. They are copied.
   *
   * @param name Takes the place of the path. If it is loaded already, the result
   * is another handle on that module, whatever the bytes are.
   * @param bytes All bytes of the file.
   * @throws {LoadError} As {@linkcode ModuleSet.load}, except `Io` and `PermissionDenied` for reading.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assert } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * registry.loadBytes("mylib", Deno.readFileSync("fixtures/mylib.smf"));
   * assert(registry.unload("mylib"));
   * ```
   */
  loadBytes(name: string, bytes: Uint8Array, options: LoadOptions = {}): LoadedModule {
    const loading = this.#loading.forLoad(options);
    const { catalog } = loading;
    requireName(name);
    requireBytes(bytes);
    const entry = catalog.get(name) ??
      loading.enter(catalog.addName(name), loading.read(name, name, 1, { ...options, bytes }));
    return loading.handle(entry, options);
  }

  /**
   * Forgets a module, so that the next `load` reads its file again. Works also
   * when the file is gone.
   *
   * Safety: with `force` the module's memory may be freed at once. Native code
   * that still uses an address in it, or a thread that runs its code, crashes
   * the process; take a lease with `addressOf`, or pin the module.
   *
   * @returns whether it was loaded.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * registry.load("fixtures/mylib.smf");
   * assertEquals(registry.unload("fixtures/mylib.smf", { force: true }), true);
   * assertEquals(registry.unload("fixtures/mylib.smf"), false);
   * ```
   */
  unload(path: string | URL, options: UnloadOptions = {}): boolean {
    checkOptions("unload module", options, UNLOAD_OPTIONS);
    const { catalog } = this.#open();
    const entry = catalog.find(path);
    if (entry === undefined) return false;
    const lifetimes = [...entry.lifetimes];
    catalog.delete(entry.key);
    if (options.force !== true) return true;
    const { lifetime } = entry.exports.version;
    for (const other of lifetimes) if (other !== lifetime) other.revokeQuietly();
    lifetime.revoke();
    return true;
  }

  /**
   * Opens functions and variables of a module that follow its reloads. The
   * module is loaded if it is not yet.
   *
   * Safety: definitions are compared with the types that the module keeps. If it
   * keeps none, a wrong definition crashes the process when the function is called,
   * and a later version must keep the signatures.
   *
   * @param definitions The exports to open, as for `Deno.dlopen`.
   * @throws {LoadError} As {@linkcode ModuleSet.load}, and as {@linkcode LoadedModule.bind}.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * using mylib = registry.open("fixtures/mylib.smf", { add: { parameters: ["i64", "i64"], result: "i64" } });
   * assertEquals(mylib.symbols.add(2n, 3n), 5n);
   * ```
   */
  open<const S extends Definitions>(
    path: string | URL,
    definitions: S,
    options?: OpenOptions,
  ): LiveLibrary<S>;
  /**
   * Opens functions and variables of a module by the types that it keeps, as
   * {@linkcode BoundModule.bind} binds them. They follow its reloads.
   *
   * Safety: as above, and the types are those of the version that is current now.
   *
   * @param names The exports to open. Default: all.
   * @throws {LoadError} As {@linkcode ModuleSet.load}, and as {@linkcode BoundModule.bind}.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * using typed = registry.open("fixtures/c/typed.smf"); // or only ["add"]
   * assertEquals(typed.symbols.add(2, 3), 5);
   * ```
   */
  open<const Name extends string = string>(
    path: string | URL,
    names?: readonly Name[],
    options?: OpenOptions,
  ): TypedLibrary<Name>;
  open(path: string | URL, wanted: Wanted, options: OpenOptions = {}): LiveLibrary | TypedLibrary {
    checkOptions("open module", options, OPEN_OPTIONS);
    const { types = "check", integers, ...loadOptions } = options;
    judgeWanted(wanted, types, integers);
    const loading = this.#open();
    loading.expectCrashes(options);
    using _handle = loading.catalog.find(path) === undefined ? this.load(path, loadOptions) : undefined;
    return openLibrary(loading.requireLoaded(path), loading, wanted, options);
  }

  /**
   * The address of the first module's export with that name, in load order.
   *
   * Safety: the address is valid as long as the module is loaded; using it
   * later crashes the process. For native code that may come back to JavaScript
   * which closes the module, take a lease with `addressOf`.
   *
   * @returns `null` if no loaded module exports it.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * assertEquals(registry.resolveSymbol("add"), null);
   * registry.load("fixtures/mylib.smf");
   * assertEquals(typeof registry.resolveSymbol("add"), "bigint");
   * ```
   */
  resolveSymbol(name: string): bigint | null {
    for (const { exports } of this.#open().catalog.mayExport(name)) {
      const found = exports.find(name);
      if (found === undefined) continue;
      // Never given back, because nobody can know how long a raw address is used.
      found.claim?.();
      return found.address;
    }
    return null;
  }

  /** The paths and names of the loaded modules, in load order. */
  modules(): string[] {
    return this.#loading.catalog.keys();
  }

  /**
   * Ends the registry and every module that it has loaded.
   *
   * Safety: as {@linkcode ModuleSet.unload} with `force`, for every module.
   *
   * @throws {LoadError} `Busy` while a nonblocking call is in flight; then
   * nothing has changed. `OutOfMemory` if the system refuses to take memory
   * back; disposing again tries again.
   */
  [Symbol.dispose](): void {
    this.#loading.ending.end();
  }

  /**
   * Ends the registry, but waits for nonblocking calls and until all memory is
   * freed. Memory that leases on raw addresses keep is freed with them.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loading.ending.endAsync();
  }

  /** @throws {LoadError} `Closed` if the registry was disposed. */
  #open(): Loading {
    this.#loading.ending.requireOpen();
    return this.#loading;
  }
}
