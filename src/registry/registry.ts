/**
 * The modules of a program: loaded once each, found by path, linked with each
 * other, and reloaded while they are in use.
 */

import { showAs } from "../os/inspection.ts";
import { cutStacks } from "../errors/edge.ts";
import { checkOptions } from "../errors/options.ts";
import { developmentHook } from "./development.ts";
import type { Loading } from "./loading.ts";
import type { LoadedModule } from "../module/handle.ts";
import { shownRegistry } from "./inspection.ts";
import { loadingOf, ModuleSet } from "./module_set.ts";
import { ObservedSet } from "./observed_set.ts";
import { type ModuleRegistryOptions, RELOAD_OPTIONS, type ReloadOptions } from "./options.ts";
import { type KeptVersion, Reloader } from "./reload/reloader.ts";
import { requireNoWait, SAFE_POINT_OPTIONS, type SafePointOptions } from "./reload/safe_point.ts";
import { reloadModule, reloadModules } from "./reloads.ts";
import { TAKEOVER_OPTIONS, type TakeoverOptions } from "./reload/takeover.ts";
import { WATCH_OPTIONS, type WatchEvent, type WatchOptions } from "./watch/options.ts";
import { watchModules } from "./watch/watched_modules.ts";

/**
 * Loads modules once each, links them with each other, and reloads them.
 *
 * - The key of a module is its file's real path, so `./a.smf`, `a.smf` and a
 *   link to it are one module.
 * - A name that a module uses but does not define is looked up in `imports`,
 *   among the exports of the modules that are loaded already, in load order,
 *   in `libraries`, and by `resolver`. The provider that answers stays loaded
 *   for as long as its importer.
 * - An imported function stays linked over reloads: its importers call the
 *   newest version without being touched.
 * - Dispose of a registry when you are done: that ends everything it loaded.
 *
 * {@linkcode ModuleSet} has the methods that load modules and open their
 * functions, {@linkcode ObservedSet} those that say what there is; this class adds
 * those that take modules to other versions.
 *
 * Safety: reloads free earlier versions, unless `keepVersions` keeps them. The
 * registry knows of handles, live bindings, importers, leases, nonblocking calls,
 * and addresses in the variables of its modules; it cannot know of addresses that
 * native code keeps elsewhere, such as in the heap or in a host library, nor of
 * threads that a module started. Using those after the version is freed crashes
 * the process: set `keepVersions: Infinity`, or pin the module.
 *
 * @example
 * ```ts
 * import { ModuleRegistry } from "@simple/loader";
 * import { assertEquals } from "@std/assert";
 *
 * using registry = new ModuleRegistry();
 * registry.load("fixtures/provider.smf");
 * const importer = registry.load("fixtures/importer.smf");
 * assertEquals(importer.imports()[0].name, "scale");
 * ```
 */
export class ModuleRegistry extends ObservedSet {
  readonly #loading: Loading;
  readonly #reloader: Reloader;

  static {
    showAs(
      this.prototype,
      "ModuleRegistry",
      (registry) => #loading in registry ? shownRegistry(registry.inspect()) : {},
    );
    cutStacks(ModuleSet.prototype);
    cutStacks(ObservedSet.prototype);
    cutStacks(this.prototype);
  }

  /**
   * Opens nothing and needs no permission.
   *
   * @throws {RangeError} If `keepVersions` is neither a whole number from 0 on nor Infinity.
   */
  constructor(options: ModuleRegistryOptions = {}) {
    super(options);
    this.#loading = loadingOf(this);
    const { catalog, callPath, ending } = this.#loading;
    const hook = developmentHook();
    this.#reloader = new Reloader(catalog, callPath, options.keepVersions ?? hook?.keepVersions);
    hook?.opened(this, ending.signal);
  }

  /**
   * Reads a module's file again and puts the new version in the place of the
   * old one. Handles on the old version stay with it; modules that import
   * functions from it call the new version from then on. A module that is not
   * loaded is loaded.
   *
   * Safety: names and sizes are compared, not signatures: a caller of a function
   * whose signature has changed crashes the process.
   *
   * @returns a handle on the new version.
   * @throws {LoadError} As {@linkcode ModuleSet.load}, and `Incompatible` if the
   * new version lacks a name that is in use, such as a function that another
   * module imports; then everything is as it was.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * registry.load("fixtures/mylib.smf");
   * assertEquals(registry.reload("fixtures/mylib.smf").version, 2);
   * ```
   */
  reload(path: string | URL, options: ReloadOptions & SafePointOptions): Promise<LoadedModule>;
  /** Reloads a module at once: calls that run finish in the old version. */
  reload(path: string | URL, options?: ReloadOptions): LoadedModule;
  reload(
    path: string | URL,
    options: ReloadOptions & Partial<SafePointOptions> = {},
  ): LoadedModule | Promise<LoadedModule> {
    checkOptions("reload module", options, RELOAD_OPTIONS);
    return this.#takeTurn(
      "reload module",
      options,
      () => reloadModule(this, this.#open(), this.#reloader, path, options),
    );
  }

  /**
   * Reloads several modules: all or, if anything fails, none. Each switches by
   * itself; calls between two switches may see one new and one old.
   *
   * The new versions may import from each other what only they have. Until they
   * take over, functions that both versions have are the old version's.
   *
   * Safety: as {@linkcode ModuleRegistry.reload}.
   *
   * @returns handles on the new versions, in the order of the paths.
   * @throws {LoadError} As {@linkcode ModuleRegistry.reload}, and `Io` for a path that is not loaded.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * const paths = ["fixtures/mylib.smf", "fixtures/provider.smf"];
   * registry.loadAll(paths);
   * assertEquals(registry.reloadAll(paths).map(({ version }) => version), [2, 2]);
   * ```
   */
  reloadAll(
    paths: readonly (string | URL)[],
    options: TakeoverOptions & SafePointOptions,
  ): Promise<LoadedModule[]>;
  /** Reloads several modules at once: calls that run finish in the old versions. */
  reloadAll(paths: readonly (string | URL)[], options?: TakeoverOptions): LoadedModule[];
  reloadAll(
    paths: readonly (string | URL)[],
    options: TakeoverOptions & Partial<SafePointOptions> = {},
  ): LoadedModule[] | Promise<LoadedModule[]> {
    checkOptions("reload modules", options, { ...TAKEOVER_OPTIONS, ...SAFE_POINT_OPTIONS });
    return this.#takeTurn(
      "reload modules",
      options,
      () => reloadModules(this.#open(), this.#reloader, paths, options),
    );
  }

  /**
   * Goes back to the version before the current one, with the same steps and
   * promises as {@linkcode ModuleRegistry.reload}. The option `keepVersions` of
   * the registry sets how many versions are kept.
   *
   * Safety: as {@linkcode ModuleRegistry.reload}.
   *
   * @returns a handle on the version that is current now.
   * @throws {LoadError} `Incompatible` if no earlier version is kept;
   * `IntegrityMismatch` if the current version was checked and the earlier one was not.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * registry.load("fixtures/mylib.smf");
   * registry.reload("fixtures/mylib.smf");
   * assertEquals(registry.rollback("fixtures/mylib.smf").version, 1);
   * ```
   */
  rollback(path: string | URL, options: TakeoverOptions & SafePointOptions): Promise<LoadedModule>;
  /** Goes back at once: calls that run finish in the version that they are in. */
  rollback(path: string | URL, options?: TakeoverOptions): LoadedModule;
  rollback(
    path: string | URL,
    options: TakeoverOptions & Partial<SafePointOptions> = {},
  ): LoadedModule | Promise<LoadedModule> {
    checkOptions("roll back module", options, { ...TAKEOVER_OPTIONS, ...SAFE_POINT_OPTIONS });
    return this.#takeTurn("roll back module", options, () => {
      const loading = this.#open();
      const entry = loading.requireLoaded(path);
      return loading.handle(entry, {}, this.#reloader.rollBack(entry, options));
    });
  }

  /**
   * The versions of a module that are kept, oldest first; the last is the current one.
   *
   * @throws {LoadError} `Io` if the module is not loaded.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * registry.load("fixtures/mylib.smf");
   * registry.reload("fixtures/mylib.smf");
   * assertEquals(registry.versions("fixtures/mylib.smf").map(({ version }) => version), [1, 2]);
   * ```
   */
  versions(path: string | URL): KeptVersion[] {
    return this.#reloader.versions(this.#open().requireLoaded(path));
  }

  /**
   * Reloads modules whenever their files change, and reports each change.
   *
   * A file that is not whole yet is read again for a while; a version that fails
   * leaves the old one running and is reported.
   *
   * All versions of a watched module stay loaded, because native code may have
   * kept addresses in any of them, unless the registry was made with
   * `keepVersions`.
   *
   * Safety: as {@linkcode ModuleRegistry.reload}, and whoever can write to the
   * file runs code in this process.
   *
   * Platforms: changes are noticed through the system's own notifications, so
   * on a file system that sends none, such as a network share, nothing happens.
   *
   * @param options What to watch and how to reload. `signal`, leaving the loop
   * or disposing of the registry ends the watch.
   * @throws {LoadError} `Io` for a path that is not loaded, or a module that was loaded from bytes.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   *
   * using registry = new ModuleRegistry();
   * registry.load("fixtures/mylib.smf");
   * const stop = new AbortController();
   * setTimeout(() => stop.abort(), 10);
   * for await (const event of registry.watch({ signal: stop.signal, state: "carry" })) {
   *   console.log(event.kind, event.path);
   * }
   * ```
   */
  watch(
    options: WatchOptions & TakeoverOptions & Partial<SafePointOptions> = {},
  ): AsyncGenerator<WatchEvent, void, void> {
    checkOptions("watch", options, WATCH_OPTIONS);
    return watchModules(this.#open(), this.#reloader, options);
  }

  /** Does some work at once or at a safe point, as the options say. */
  #takeTurn<T>(task: string, options: Partial<SafePointOptions>, work: () => T): T | Promise<T> {
    if (options.at !== undefined) return this.#open().safePoints.run(task, work, options);
    requireNoWait(task, options);
    return work();
  }

  /** @throws {LoadError} `Closed` if the registry was disposed. */
  #open(): Loading {
    this.#loading.ending.requireOpen();
    return this.#loading;
  }
}
