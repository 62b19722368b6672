/**
 * The modules of a program: loaded once, found by path, answering for each
 * other's imports.
 */

import type { CarryReport } from "../module/carry.ts";
import type { CallPath } from "../call/path.ts";
import { holdStubMaker } from "../call/stub/library.ts";
import { Catalog, type Entry } from "./catalog.ts";
import { checkLoaded, checkReplacement } from "./integrity.ts";
import { inFile, LoadError } from "../errors.ts";
import { ImportScope } from "./import_scope.ts";
import { loadGroup } from "./load_group.ts";
import { type LoadContext, type LoadedImage, loadSteps } from "../load/loader.ts";
import { type MemoryAllocator, platformAllocator } from "../os/memory/allocator.ts";
import type { Lifetime } from "../module/lifetime.ts";
import { type LiveLibrary, openLive } from "../module/live.ts";
import { liveSource } from "./live_source.ts";
import { type LoadedModule, openHandle } from "../module/handle.ts";
import type { TakeoverOptions } from "./reload/stage.ts";
import type { LoadOptions, ModuleRegistryOptions, ReloadOptions, UnloadOptions } from "./options.ts";
import { pathOf, readBytes, readFile, readFileAsync } from "../load/file/source.ts";
import { StableExports } from "./reload/stable_exports.ts";
import { type KeptVersion, Reloader } from "./reload/reloader.ts";
import { ModuleVersion } from "../module/version.ts";
import { type Watched, type WatchEvent, watchFiles, type WatchOptions } from "./watch/watch.ts";
import { WatchedModule } from "./watch/watched_module.ts";

/** Callers that wait for one asynchronous load. */
interface Waiter extends PromiseWithResolvers<LoadedModule> {
  readonly options: LoadOptions;
}

/**
 * Loads modules once each, and links them with each other.
 *
 * - The key of a module is its file's real path, so `./a.smf`, `a.smf` and a
 *   link to it are one module.
 * - A name that a module uses but does not define is looked up in `imports`,
 *   among the exports of the modules that are loaded already, in load order,
 *   in `libraries`, and by `resolver`. Whoever answered is kept alive.
 * - An imported function stays linked over reloads: who imports it calls the
 *   newest version without being touched.
 * - Dispose of a registry when done: everything that it loaded ends with it.
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
export class ModuleRegistry implements Disposable, AsyncDisposable {
  readonly #allocator: MemoryAllocator;
  readonly #callPath: CallPath;
  readonly #catalog = new Catalog();
  readonly #scope: ImportScope;
  readonly #reloader: Reloader;
  /** By the module's key and its integrity. */
  readonly #pending = new Map<string, Waiter[]>();
  readonly #holds: Disposable[] = [];
  /** Ends watches. */
  readonly #ended = new AbortController();
  #closed = false;
  #ending: Lifetime[] = [];
  readonly #grace = (): Promise<unknown> | undefined => this.#catalog.callsDrained();

  /**
   * Opens nothing and needs no permission.
   *
   * @throws {RangeError} If `keepVersions` is no number of versions.
   */
  constructor(options: ModuleRegistryOptions = {}) {
    this.#allocator = options.allocator ?? platformAllocator();
    this.#callPath = options.callPath ?? "auto";
    this.#scope = new ImportScope(this.#catalog, options);
    this.#reloader = new Reloader(this.#catalog, this.#callPath, options.keepVersions ?? 1);
  }

  /**
   * The module at a path: loaded if it is not yet, else another handle on it.
   *
   * @param path Of the file, or a `file:` URL.
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
    this.#requireOpen();
    const file = pathOf(path);
    const key = this.#catalog.keyOf(file);
    const entry = this.#catalog.get(key) ?? this.#enter(key, this.#read(key, file, 1, options));
    return this.#handle(entry, options);
  }

  /**
   * As {@linkcode ModuleRegistry.load}, without blocking the event loop.
   * Callers that ask for the same module at the same time share one load.
   *
   * @throws {LoadError} As {@linkcode ModuleRegistry.load}: the promise rejects.
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
    this.#requireOpen();
    const file = pathOf(path);
    const key = await this.#catalog.keyOfAsync(file);
    this.#requireOpen();
    const entry = this.#catalog.get(key);
    if (entry !== undefined) return this.#handle(entry, options);
    const waiter: Waiter = { ...Promise.withResolvers(), options };
    // Who expects other bytes does not share a load, nor its failure.
    const load = `${key}\0${options.integrity ?? ""}`;
    const waiters = this.#pending.get(load);
    if (waiters !== undefined) {
      waiters.push(waiter);
    } else {
      this.#pending.set(load, [waiter]);
      this.#loadFor(load, key, file, options);
    }
    return waiter.promise;
  }

  /**
   * Loads modules that may import from each other, in a circle if need be.
   * Their initialisers run in the order of the paths; if one module cannot be
   * loaded, none is.
   *
   * @param paths Of the files; of those that are loaded already, another handle is given.
   * @returns handles in the order of the paths.
   * @throws {LoadError} As {@linkcode ModuleRegistry.load}.
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
    this.#requireOpen();
    const files = new Map(paths.map((path) => [this.#catalog.keyOf(pathOf(path)), pathOf(path)]));
    const fresh = [...files].filter(([key]) => this.#catalog.get(key) === undefined);
    const group: StableExports[] = [];
    const versions = loadGroup(
      fresh.map(([key, file]) => ({
        key,
        file,
        number: 1,
        offer: (version) => {
          const exports = this.#exporting(version);
          group.push(exports);
          return exports;
        },
      })),
      this.#scope,
      (key, file) => this.#context(key, file),
    );
    if (this.#closed) { for (const { lifetime } of versions) lifetime.revokeQuietly(); }
    this.#requireOpen();
    fresh.forEach(([key], index) => this.#catalog.add(key, group[index]));
    return paths.map((path) => this.#handle(this.#catalog.find(path)!));
  }

  /**
   * As {@linkcode ModuleRegistry.load}, from the bytes of a file. They are copied.
   *
   * @param name Takes the path's place: a name that is loaded already gives
   * another handle on that module, whatever the bytes are.
   * @param bytes All bytes of the file.
   * @throws {LoadError} As {@linkcode ModuleRegistry.load}, `Io` and `PermissionDenied` for reading apart.
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
    this.#requireOpen();
    const entry = this.#catalog.get(name) ??
      this.#enter(this.#catalog.name(name), this.#read(name, name, 1, { ...options, bytes }));
    return this.#handle(entry, options);
  }

  /**
   * Forgets a module, so that the next `load` reads its file again. Works also
   * when the file is gone.
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
    this.#requireOpen();
    const entry = this.#catalog.find(path);
    if (entry === undefined) return false;
    const lifetimes = [...entry.lifetimes];
    this.#catalog.delete(entry.key);
    if (options.force !== true) return true;
    const { lifetime } = entry.exports.version;
    for (const other of lifetimes) if (other !== lifetime) other.revokeQuietly();
    lifetime.revoke();
    return true;
  }

  /**
   * Reads a module's file again and puts the new version in the old one's
   * place. Handles on the old version stay with it; modules that import
   * functions from it call the new version from then on. A module that is not
   * loaded is loaded.
   *
   * @returns a handle on the new version.
   * @throws {LoadError} As {@linkcode ModuleRegistry.load}, and `Incompatible`
   * if the new version lacks a function that another module imports; then
   * everything is as it was.
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
  reload(path: string | URL, options: ReloadOptions = {}): LoadedModule {
    this.#requireOpen();
    const entry = this.#catalog.findLoaded(path);
    if (entry === undefined) {
      return options.bytes === undefined
        ? this.load(path, options)
        : this.loadBytes(pathOf(path), options.bytes, options);
    }
    const file = pathOf(path);
    const [report] = this.#reloader.replace(
      [{ entry, options }],
      ([number]) => [this.#read(entry.key, file, number, options)],
    );
    return this.#handle(entry, options, report);
  }

  /**
   * Reloads several modules: all or, if anything fails, none. Each switches by
   * itself; calls between two switches may see one new and one old.
   *
   * The new versions may import from each other what only they have. Until they
   * take over, functions that both versions have are the old version's.
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
  reloadAll(paths: readonly (string | URL)[], options: TakeoverOptions = {}): LoadedModule[] {
    this.#requireOpen();
    const entries = paths.map((path) => this.#loaded(path));
    const files = new Map(entries.map((entry, index) => [entry, pathOf(paths[index])]));
    const replacements = [...files.keys()].map((entry) => ({ entry, options }));
    const reports = this.#reloader.replace(replacements, (numbers) => {
      const members = [...files].map(([entry, file], index) => {
        checkReplacement(entry, undefined);
        const offer = (version: ModuleVersion) => entry.exports.offer(version);
        return { key: entry.key, file, number: numbers[index], offer };
      });
      return loadGroup(members, this.#scope, (key, file) => this.#context(key, file));
    });
    const reportOf = new Map(replacements.map(({ entry }, index) => [entry, reports[index]]));
    return entries.map((entry) => this.#handle(entry, {}, reportOf.get(entry)));
  }

  /**
   * Goes back to the version before the current one, with the same steps and
   * promises as {@linkcode ModuleRegistry.reload}. How many versions are kept
   * says the option `keepVersions`.
   *
   * @returns a handle on the version that is current now.
   * @throws {LoadError} `Incompatible` if no earlier version is kept.
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
  rollback(path: string | URL, options: TakeoverOptions = {}): LoadedModule {
    this.#requireOpen();
    const entry = this.#loaded(path);
    return this.#handle(entry, {}, this.#reloader.rollBack(entry, options));
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
    this.#requireOpen();
    return this.#reloader.versions(this.#loaded(path));
  }

  /**
   * Reloads modules whenever their files change, and says what became of it.
   *
   * A file that is not whole yet is looked at again for a while; a version that
   * fails leaves the old one running and is reported.
   *
   * @param options What to watch, and how reloads are to happen; `signal`,
   * leaving the loop or disposing of the registry ends the watch.
   * @throws {LoadError} `Io` for a path that is not loaded, or a name of bytes.
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
  watch(options: WatchOptions & TakeoverOptions = {}): AsyncGenerator<WatchEvent, void, void> {
    this.#requireOpen();
    const entries = options.paths?.map((path) => this.#loadedFile(path)) ??
      [...this.#catalog.entries()].filter(({ key }) => !this.#catalog.isNamed(key));
    const watched = entries.map((entry) => this.#watched(entry, options));
    const signals = [this.#ended.signal, ...options.signal === undefined ? [] : [options.signal]];
    return watchFiles(watched, { ...options, signal: AbortSignal.any(signals) });
  }

  /**
   * Functions and variables of a module that follow its reloads; it is loaded
   * if it is not yet.
   *
   * @param definitions As `Deno.dlopen` takes them, of exports of the module.
   * @throws {LoadError} As {@linkcode ModuleRegistry.load}, and `UndefinedSymbol`, listing every name that is missing.
   *
   * @example
   * ```ts
   * import { ModuleRegistry } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * using registry = new ModuleRegistry();
   * using mylib = registry.open("fixtures/mylib.smf", {
   *   add: { parameters: ["i64", "i64"], result: "i64" },
   * });
   * assertEquals(mylib.symbols.add(2n, 3n), 5n);
   * ```
   */
  open<const S extends Deno.ForeignLibraryInterface>(
    path: string | URL,
    definitions: S,
    options: LoadOptions = {},
  ): LiveLibrary<S> {
    this.#requireOpen();
    using _handle = this.#catalog.find(path) === undefined ? this.load(path, options) : undefined;
    const entry = this.#loaded(path);
    checkLoaded(entry, options.integrity);
    if (options.pin === true) entry.exports.version.lifetime.pin();
    const source = liveSource(entry, this.#catalog);
    return openLive(source, definitions, options.callPath ?? this.#callPath);
  }

  /**
   * The address of the first module's export of that name, in load order. It is
   * valid as long as the module is loaded; for native code that may come back
   * to JavaScript which closes the module, take a lease with `addressOf`.
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
    this.#requireOpen();
    for (const { exports } of this.#catalog.mayExport(name)) {
      const found = exports.find(name);
      if (found === undefined) continue;
      // Nobody can know how long a raw address is used.
      found.claim?.();
      return found.address;
    }
    return null;
  }

  /** The paths and names of the loaded modules, in load order. */
  modules(): string[] {
    return this.#catalog.keys();
  }

  /**
   * Ends every module that this registry has loaded, and itself.
   *
   * @throws {LoadError} `Busy` while a nonblocking call is in flight; then
   * nothing has changed. `OutOfMemory` if the system refuses to take memory
   * back; disposing again tries again.
   */
  [Symbol.dispose](): void {
    if (!this.#closed) {
      for (const lifetime of this.#catalog.lifetimes()) lifetime.requireNoCalls();
    }
    const failures = this.#end().flatMap((lifetime) => {
      try {
        lifetime.revoke();
        return [];
      } catch (error) {
        return [error];
      }
    });
    this.#release();
    if (failures.length > 0) throw failures[0];
  }

  /**
   * As disposing, but waits for nonblocking calls and until all memory is freed,
   * except what leases on raw addresses keep, which goes with them.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const ends = await Promise.allSettled(
      this.#end().map((lifetime) => lifetime.revokeAndWait({ ignoreLeases: true })),
    );
    this.#release();
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  /** What has to end, at the first time and, where the system refused, again. */
  #end(): Lifetime[] {
    if (!this.#closed) {
      this.#closed = true;
      this.#ended.abort();
      // Importers come after what they import from: the last one ends first.
      this.#ending = this.#catalog.lifetimes().reverse();
      this.#catalog.clear();
    }
    return this.#ending = this.#ending.filter(({ state }) => state !== "freed");
  }

  #release(): void {
    if (this.#holds.length === 0) return;
    this.#scope[Symbol.dispose]();
    for (const hold of this.#holds.splice(0)) hold[Symbol.dispose]();
  }

  #requireOpen(): void {
    if (this.#closed) throw new LoadError("Closed", "Cannot use registry: it was disposed");
  }

  #read(
    key: string,
    file: string,
    number: number,
    { bytes, integrity }: Pick<ReloadOptions, "bytes" | "integrity"> = {},
  ): ModuleVersion {
    checkReplacement(this.#catalog.get(key), integrity);
    const steps = loadSteps({ ...this.#context(key, file), integrity });
    const image = bytes === undefined ? readFile(file, steps) : inFile(file, () => readBytes(bytes, steps));
    return this.#start(image, file, number);
  }

  async #loadFor(load: string, key: string, file: string, { integrity }: LoadOptions): Promise<void> {
    const settle = (each: (waiter: Waiter) => void): void => {
      const waiters = this.#pending.get(load)!;
      this.#pending.delete(load);
      waiters.forEach(each);
    };
    try {
      const image = await readFileAsync(file, loadSteps({ ...this.#context(key, file), integrity }));
      let entry = this.#catalog.get(key);
      if (this.#closed || entry !== undefined) image[Symbol.dispose]();
      this.#requireOpen();
      entry ??= this.#enter(key, this.#start(image, file, 1));
      // All handles are made before the first caller can close its own.
      const handles = new Map(
        this.#pending.get(load)!.map((waiter) => [waiter, this.#handle(entry, waiter.options)]),
      );
      settle((waiter) => waiter.resolve(handles.get(waiter)!));
    } catch (error) {
      settle((waiter) => waiter.reject(error));
    }
  }

  #context(key: string, path: string): LoadContext {
    if (this.#holds.length === 0) {
      const hold = this.#allocator.retain?.();
      if (hold !== undefined) this.#holds.push(hold);
      this.#holds.push(holdStubMaker());
    }
    return {
      allocator: this.#allocator,
      allowlist: this.#scope.allowlist,
      sources: this.#scope.sourcesFor(key),
      description: `module '${path}'`,
    };
  }

  #start(image: LoadedImage, path: string, number: number): ModuleVersion {
    return inFile(path, () => ModuleVersion.create(image, path, number).registerFrames().start());
  }

  #watched({ key, exports }: Entry, options: WatchOptions & TakeoverOptions): Watched {
    const { path } = exports.version;
    return new WatchedModule({
      path,
      force: options.force === true,
      find: () => {
        const found = this.#catalog.get(key) ?? this.#catalog.findLoaded(path);
        return found === undefined || this.#catalog.isNamed(found.key) ? undefined : found;
      },
      replace: (entry, bytes) => {
        this.#requireOpen();
        return this.#reloader.replace(
          [{ entry, options }],
          ([number]) => [this.#read(entry.key, path, number, { bytes })],
        )[0];
      },
    });
  }

  /** Foreign code ran while the version was made: the registry may have ended, or the module been loaded. */
  #enter(key: string, version: ModuleVersion): Entry {
    const entered = this.#catalog.get(key);
    if (this.#closed || entered !== undefined) version.lifetime.revokeQuietly();
    this.#requireOpen();
    if (entered !== undefined) return entered;
    return this.#catalog.add(key, this.#exporting(version));
  }

  #exporting(version: ModuleVersion): StableExports {
    return new StableExports(version, this.#allocator, this.#grace);
  }

  /** @throws {LoadError} `Io` if the module is not loaded. */
  #loaded(path: string | URL): Entry {
    const entry = this.#catalog.findLoaded(path);
    if (entry !== undefined) return entry;
    throw new LoadError("Io", "Cannot find module: it is not loaded", { path: pathOf(path) });
  }

  /** @throws {LoadError} `Io` if the module is not loaded, or was loaded from bytes. */
  #loadedFile(path: string | URL): Entry {
    const entry = this.#loaded(path);
    if (!this.#catalog.isNamed(entry.key)) return entry;
    throw new LoadError("Io", "Cannot watch module: it was loaded from bytes", { path: pathOf(path) });
  }

  #handle(entry: Entry, options: LoadOptions = {}, report?: CarryReport): LoadedModule {
    const { callPath = this.#callPath } = options;
    checkLoaded(entry, options.integrity);
    if (options.pin === true) entry.exports.version.lifetime.pin();
    return openHandle(entry.exports.version, callPath, report);
  }
}
