/**
 * The modules of a program: loaded once, found by path, answering for each
 * other's imports.
 */

import type { CallPath } from "./call/path.ts";
import { holdStubMaker } from "./call/stub_library.ts";
import { inFile, LoadError } from "./errors.ts";
import { type ImportResolver, type ImportSource, resolverSource } from "./imports/resolve.ts";
import type { Lifetime } from "./lifetime.ts";
import { type LoadContext, type LoadedImage, loadSteps, symbolAddress } from "./loader.ts";
import { type MemoryAllocator, platformAllocator } from "./memory/allocator.ts";
import { type LoadedModule, openHandle } from "./module.ts";
import { pathOf, readBytes, readFile, readFileAsync, realPath, realPathAsync } from "./source.ts";
import { findExport, ModuleVersion } from "./version.ts";

/** What a {@linkcode ModuleRegistry} is made with. */
export interface ModuleRegistryOptions {
  /** Answers names that no loaded module exports. */
  readonly resolver?: ImportResolver;
  /**
   * Where memory comes from.
   *
   * @default platformAllocator()
   */
  readonly allocator?: MemoryAllocator;
  /**
   * The way that calls take.
   *
   * @default "auto"
   */
  readonly callPath?: CallPath;
}

/** How {@linkcode ModuleRegistry.unload} treats handles that are still open. */
export interface UnloadOptions {
  /**
   * Whether open handles and bound functions end too. Without it they go on
   * working, and the module ends with the last of them.
   *
   * @default false
   */
  readonly force?: boolean;
}

/** What a registry keeps of one loaded module. */
interface Entry {
  readonly key: string;
  version: ModuleVersion;
}

/** Callers that wait for one asynchronous load. */
type Waiter = PromiseWithResolvers<LoadedModule>;

/**
 * Loads modules once each, and links them with each other.
 *
 * - The key of a module is its file's real path, so `./a.smf`, `a.smf` and a
 *   link to it are one module.
 * - A name that a module uses but does not define is looked up among the
 *   exports of the modules that are loaded already, in load order, then the
 *   `resolver` is asked. Whoever answered is kept alive by the importer.
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
  readonly #resolver: ImportSource | undefined;
  /** In load order. */
  readonly #entries = new Map<string, Entry>();
  /** Paths that were asked for, to find a module whose file is gone. */
  readonly #aliases = new Map<string, string>();
  readonly #pending = new Map<string, Waiter[]>();
  /** Of every version that is not revoked, in load order. */
  readonly #lifetimes = new Set<Lifetime>();
  readonly #holds: Disposable[] = [];
  #closed = false;

  /** Opens nothing and needs no permission. */
  constructor(options: ModuleRegistryOptions = {}) {
    this.#allocator = options.allocator ?? platformAllocator();
    this.#callPath = options.callPath ?? "auto";
    this.#resolver = options.resolver === undefined ? undefined : resolverSource(options.resolver);
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
  load(path: string | URL): LoadedModule {
    this.#requireOpen();
    const file = pathOf(path);
    const key = this.#keyOf(file);
    const entry = this.#entries.get(key) ?? this.#register(key, this.#read(key, file, 1));
    return this.#handle(entry);
  }

  /**
   * As {@linkcode ModuleRegistry.load}, without blocking the event loop.
   * Callers that ask for the same module at the same time share one load.
   */
  async loadAsync(path: string | URL): Promise<LoadedModule> {
    this.#requireOpen();
    const file = pathOf(path);
    const key = this.#aliases.get(file) ?? await realPathAsync(file);
    this.#aliases.set(file, key);
    const entry = this.#entries.get(key);
    if (entry !== undefined) return this.#handle(entry);
    const waiter: Waiter = Promise.withResolvers();
    const waiters = this.#pending.get(key);
    if (waiters !== undefined) {
      waiters.push(waiter);
    } else {
      this.#pending.set(key, [waiter]);
      this.#loadFor(key, file);
    }
    return waiter.promise;
  }

  /**
   * As {@linkcode ModuleRegistry.load}, from the bytes of a file. They are copied.
   *
   * @param name Takes the path's place: a name that is loaded already gives
   * another handle on that module, whatever the bytes are.
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
  loadBytes(name: string, bytes: Uint8Array): LoadedModule {
    this.#requireOpen();
    const steps = loadSteps(this.#context(name, name));
    const entry = this.#entries.get(name) ??
      this.#register(name, this.#start(inFile(name, () => readBytes(bytes, steps)), name, 1));
    return this.#handle(entry);
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
    const entry = this.#find(path);
    if (entry === undefined) return false;
    this.#entries.delete(entry.key);
    if (options.force === true) entry.version.lifetime.revoke();
    return true;
  }

  /**
   * Reads a module's file again and puts the new version in the old one's
   * place. Handles on the old version stay with it. A module that is not
   * loaded is loaded.
   *
   * @returns a handle on the new version.
   * @throws {LoadError} As {@linkcode ModuleRegistry.load}; then everything is as it was.
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
  reload(path: string | URL): LoadedModule {
    this.#requireOpen();
    const entry = this.#find(path);
    if (entry === undefined) return this.load(path);
    entry.version = this.#watch(entry.key, this.#read(entry.key, pathOf(path), entry.version.number + 1));
    return this.#handle(entry);
  }

  /**
   * The address of the first module's export of that name, in load order.
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
    for (const { version } of this.#entries.values()) {
      const symbol = findExport(version.image.file, name);
      if (symbol !== undefined) return symbolAddress(version.image, symbol.index);
    }
    return null;
  }

  /** The paths and names of the loaded modules, in load order. */
  modules(): string[] {
    return [...this.#entries.keys()];
  }

  /**
   * Ends every module that this registry has loaded, and itself.
   *
   * @throws {LoadError} `Busy` while a nonblocking call is in flight; then nothing has changed.
   */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    for (const lifetime of this.#lifetimes) {
      if (lifetime.holders().some(({ kind }) => kind === "call")) lifetime.requireIdle();
    }
    for (const lifetime of this.#end()) lifetime.revoke();
    for (const hold of this.#holds.splice(0)) hold[Symbol.dispose]();
  }

  /** As disposing, but waits for nonblocking calls and until all memory is freed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    await Promise.all(this.#end().map((lifetime) => lifetime.freed()));
    for (const hold of this.#holds.splice(0)) hold[Symbol.dispose]();
  }

  /** Importers come after what they import from, so the last one ends first. */
  #end(): Lifetime[] {
    this.#closed = true;
    this.#entries.clear();
    return [...this.#lifetimes].reverse();
  }

  #requireOpen(): void {
    if (this.#closed) throw new LoadError("Closed", "Cannot use registry: it was disposed");
  }

  /** The real path; of a file that is gone, the one that it had when it was loaded. */
  #keyOf(file: string): string {
    try {
      const key = realPath(file);
      this.#aliases.set(file, key);
      return key;
    } catch (error) {
      const known = this.#aliases.get(file);
      if (known === undefined || !this.#entries.has(known)) throw error;
      return known;
    }
  }

  #find(path: string | URL): Entry | undefined {
    const file = pathOf(path);
    const named = this.#entries.get(file);
    if (named !== undefined) return named;
    try {
      return this.#entries.get(this.#keyOf(file));
    } catch (error) {
      if (error instanceof LoadError && error.kind === "Io") return undefined;
      throw error;
    }
  }

  #read(key: string, file: string, number: number): ModuleVersion {
    return this.#start(readFile(file, loadSteps(this.#context(key, file))), file, number);
  }

  async #loadFor(key: string, file: string): Promise<void> {
    const settle = (each: (waiter: Waiter) => void): void => {
      const waiters = this.#pending.get(key)!;
      this.#pending.delete(key);
      waiters.forEach(each);
    };
    try {
      const image = await readFileAsync(file, loadSteps(this.#context(key, file)));
      let entry = this.#entries.get(key);
      if (this.#closed || entry !== undefined) image[Symbol.dispose]();
      this.#requireOpen();
      entry ??= this.#register(key, this.#start(image, file, 1));
      // All handles are made before the first caller can close its own.
      const handles = new Map(this.#pending.get(key)!.map((waiter) => [waiter, this.#handle(entry)]));
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
    const sources: ImportSource[] = [{ find: (name) => this.#findImport(key, name) }];
    if (this.#resolver !== undefined) sources.push(this.#resolver);
    return { allocator: this.#allocator, sources, description: `module '${path}'` };
  }

  #findImport(importer: string, name: string): ReturnType<ImportSource["find"]> {
    for (const { key, version } of this.#entries.values()) {
      if (key === importer) continue;
      const symbol = findExport(version.image.file, name);
      if (symbol === undefined) continue;
      const address = symbolAddress(version.image, symbol.index);
      return { address, from: version.provider.description, provider: version.provider };
    }
    return undefined;
  }

  #start(image: LoadedImage, path: string, number: number): ModuleVersion {
    return inFile(path, () => ModuleVersion.start(image, path, number));
  }

  #register(key: string, version: ModuleVersion): Entry {
    const entry: Entry = { key, version: this.#watch(key, version) };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Forgets a version when it ends, without holding it: it may end by garbage collection. */
  #watch(key: string, version: ModuleVersion): ModuleVersion {
    const { lifetime, number } = version;
    this.#lifetimes.add(lifetime);
    version.whenRevoked(() => {
      this.#lifetimes.delete(lifetime);
      if (this.#entries.get(key)?.version.number === number) this.#entries.delete(key);
    });
    return version;
  }

  #handle(entry: Entry): LoadedModule {
    return openHandle(entry.version, this.#callPath);
  }
}
