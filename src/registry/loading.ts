/**
 * Loading for one registry: from files or bytes to versions that run and are
 * in the catalog, and handles on them.
 */

import type { CarryReport } from "../module/carry.ts";
import type { CrashOptions, OnCrash } from "../call/guard.ts";
import type { CallPath } from "../call/path.ts";
import { holdStubMaker } from "../call/stub/library.ts";
import { Catalog, type Entry } from "./catalog.ts";
import { CheckCache } from "../load/checks/cache.ts";
import { Ending } from "./ending.ts";
import { checkLoaded, checkReplacement } from "./integrity.ts";
import { inFile, LoadError } from "../errors/load_error.ts";
import { checkOptions } from "../errors/options.ts";
import { ImportScope } from "./import_scope.ts";
import { tellDebuggers, tellDebuggersOfGuards } from "./debugging.ts";
import { developmentHook } from "./development.ts";
import { loadGroup, type Member } from "./load_group.ts";
import { type LoadContext, type LoadedImage, loadSteps } from "../load/loader.ts";
import { type MemoryAllocator, platformAllocator } from "../os/memory/allocator.ts";
import { type LoadedModule, openHandle } from "../module/handle.ts";
import { LOAD_OPTIONS, type LoadOptions, type ModuleRegistryOptions, type ReloadOptions } from "./options.ts";
import { pathOf, readBytes, readFile, readFileAsync } from "../load/file/source.ts";
import { TrustedKeys } from "../smf/trust.ts";
import { traceFor } from "../load/trace.ts";
import { type ProfilerOptions, Profilers } from "./profilers.ts";
import { requireGuards } from "../load/runtime/crash_guard.ts";
import { SafePointGate } from "../load/runtime/safe_point.ts";
import { SafePoints } from "./reload/safe_point.ts";
import { StableExports } from "./reload/stable_exports.ts";
import { ModuleVersion } from "../module/version.ts";

/** The wishes of a reload for the candidate that it loads. */
export interface CandidateWishes {
  /** An address that it should lie near. */
  readonly near?: bigint | undefined;
  /** Called once it is linked, before any of its initialisers runs. An exception ends it. */
  readonly linked?: (image: LoadedImage) => void;
}

/** Loads the modules of one registry and keeps them in its catalog. */
export class Loading {
  readonly catalog = new Catalog();
  readonly ending = new Ending(this.catalog);
  readonly safePoints: SafePoints;
  /** How calls reach functions, unless an option says otherwise. */
  readonly callPath: CallPath;
  /** The effect of crashes, unless an option says otherwise. */
  readonly onCrash: OnCrash;
  /** Whether crashes of modules may become exceptions, so that the handler must know them. */
  #hasGuards = false;
  readonly #allocator: MemoryAllocator;
  readonly #scope: ImportScope;
  /** Whether debuggers are told of modules. */
  readonly #debug: boolean;
  readonly #onTrace: ModuleRegistryOptions["onTrace"];
  readonly #profilerOptions: ProfilerOptions;
  #profilers: Profilers | undefined;
  readonly #reportsCrashes: boolean;
  /** The records of checks, if there is a folder for them. */
  readonly #checks: CheckCache | undefined;
  /** The keys of which one must have signed each version. */
  readonly #trust: TrustedKeys | undefined;
  /** The exports of new modules that are not in the catalog yet. */
  readonly #exports = new WeakMap<ModuleVersion, StableExports>();
  /** The resources of the registry; undefined until it loads something. */
  #resources: DisposableStack | undefined;
  #hasToldOfGuards = false;

  constructor(options: ModuleRegistryOptions) {
    this.callPath = options.callPath ?? "auto";
    this.#onTrace = options.onTrace;
    const { perfMap = false, jitdump } = options;
    this.#profilerOptions = { perfMap, jitdump: jitdump === undefined ? undefined : pathOf(jitdump) };
    this.#allocator = options.allocator ?? platformAllocator();
    this.#reportsCrashes = options.crashReport ?? true;
    const onCrash = this.#reportsCrashes ? developmentHook()?.onCrash : undefined;
    this.onCrash = options.onCrash ?? onCrash ?? "end";
    const gate = new SafePointGate(this.#allocator);
    this.#scope = new ImportScope(this.catalog, options, gate);
    this.safePoints = new SafePoints(this.catalog, gate, this.ending.signal);
    this.#debug = options.debug ?? false;
    if (options.cache !== undefined) {
      this.#checks = new CheckCache(pathOf(options.cache), () => this.#allocator.pageSize);
    }
    this.#trust = options.trust && new TrustedKeys(options.trust.keys);
  }

  /** Reads a file, or `bytes` in its place, and starts what it holds as version `number`. */
  read(
    key: string,
    file: string,
    number: number,
    { bytes, integrity }: Pick<ReloadOptions, "bytes" | "integrity"> = {},
    { near, linked }: CandidateWishes = {},
  ): ModuleVersion {
    checkReplacement(this.catalog.get(key), integrity);
    const context = this.#context(key, file, number);
    // A file can be read again; bytes are gone.
    const keepsDebug = this.#debug || bytes !== undefined;
    const steps = loadSteps({ ...context, integrity, near, keepsDebug });
    const image = bytes === undefined ? readFile(file, steps) : inFile(file, () => readBytes(bytes, steps));
    return this.#start(image, key, file, number, linked);
  }

  /**
   * Loads a module without blocking the event loop.
   *
   * @returns its entry: that of a synchronous load if one has overtaken this.
   */
  async loadAsync(key: string, file: string, integrity: string | undefined): Promise<Entry> {
    const image = await readFileAsync(file, loadSteps({ ...this.#context(key, file, 1), integrity }));
    const overtaking = this.catalog.get(key);
    if (this.ending.isClosed || overtaking !== undefined) image[Symbol.dispose]();
    this.ending.requireOpen();
    return overtaking ?? this.enter(key, this.#start(image, key, file, 1));
  }

  /** Starts several new modules that may import from each other, and enters them. */
  loadNew(files: readonly (readonly [key: string, file: string])[]): void {
    const exportsInOrder: StableExports[] = [];
    const versions = this.loadTogether(files.map(([key, file], index) => ({
      key,
      file,
      number: 1,
      sealed: () => exportsInOrder[index].takeOwnAddresses(),
      expose: (version) => {
        const exports = this.#exportsOf(version);
        exportsInOrder.push(exports);
        return exports;
      },
    })));
    if (this.ending.isClosed) { for (const { lifetime } of versions) lifetime.revokeQuietly(); }
    this.ending.requireOpen();
    files.forEach(([key], index) => this.catalog.add(key, exportsInOrder[index]));
  }

  /** Starts several versions that may import from each other; they belong to the caller. */
  loadTogether(members: readonly Member[]): ModuleVersion[] {
    const told = members.map(({ sealed, ...member }): Member => ({
      ...member,
      sealed: (image, version) => this.#tell(version, member.file, () => sealed?.(image, version)),
    }));
    return loadGroup(told, this.#scope, (...member) => this.#context(...member));
  }

  /**
   * Enters a new module. Foreign code ran while its version started: if that
   * loaded the same module, the version ends and the module that is there
   * counts; if it disposed of the registry, the version ends, too.
   *
   * @throws {LoadError} `Closed` if the registry was disposed.
   */
  enter(key: string, version: ModuleVersion): Entry {
    const entered = this.catalog.get(key);
    if (this.ending.isClosed || entered !== undefined) version.lifetime.revokeQuietly();
    this.ending.requireOpen();
    return entered ?? this.catalog.add(key, this.#exports.get(version) ?? this.#exportsOf(version));
  }

  /** @throws {LoadError} `Io` if the module is not loaded. */
  requireLoaded(path: string | URL): Entry {
    const entry = this.catalog.findLoaded(path);
    if (entry !== undefined) return entry;
    throw new LoadError("Io", "Cannot find module: it is not loaded", {
      path: pathOf(path),
      hint: "load the module first, with the same path or name; modules() lists what is loaded",
    });
  }

  /** Opens a handle on the current version. */
  handle(entry: Entry, options: LoadOptions = {}, report?: CarryReport): LoadedModule {
    const { callPath = this.callPath, onCrash = this.onCrash } = options;
    this.admit(entry, options);
    return openHandle(entry.exports.version, { callPath, onCrash }, report);
  }

  /**
   * Checks the options of a load, and gets ready for it.
   *
   * @throws {LoadError} `Closed` if the registry was disposed; `Unsupported` as {@linkcode Loading.expectCrashes}.
   */
  forLoad(options: LoadOptions): this {
    checkOptions("load module", options, LOAD_OPTIONS);
    this.ending.requireOpen();
    this.expectCrashes(options);
    return this;
  }

  /**
   * Gets ready to make crashes exceptions, if the options ask for that.
   *
   * @throws {LoadError} `Unsupported` where it is not possible.
   */
  expectCrashes({ onCrash = this.onCrash }: CrashOptions): void {
    if (onCrash !== "throw") return;
    requireGuards();
    this.#hasGuards = true;
    this.#tellOfGuards();
  }

  /** Checks a loaded module against a caller's `integrity`, and pins it if the caller wants that. */
  admit(entry: Entry, { integrity, pin }: Pick<LoadOptions, "integrity" | "pin">): void {
    checkLoaded(entry, integrity);
    if (pin === true) entry.exports.version.lifetime.pin();
  }

  #context(key: string, path: string, number: number): LoadContext {
    this.#acquireResources();
    this.expectCrashes({});
    this.#tellOfGuards();
    const isReported = this.#reportsCrashes || this.#hasGuards;
    return {
      trace: traceFor(this.#onTrace, path, number),
      allocator: this.#allocator,
      allowlist: this.#scope.allowlist,
      libraryAllowlist: this.#scope.libraryAllowlist,
      sources: this.#scope.sourcesFor(key),
      librariesOf: (needed) => this.#scope.librariesOf(needed),
      description: `module '${path}'`,
      keepsInitialData: true,
      reportAs: isReported ? { version: number, file: key, isSilent: !this.#reportsCrashes } : undefined,
      keepsDebug: this.#debug,
      trust: this.#trust,
      checks: this.#checks?.of(path),
    };
  }

  /** A registry that loads nothing holds nothing. */
  #acquireResources(): void {
    if (this.#resources !== undefined) return;
    using resources = new DisposableStack();
    resources.use(holdStubMaker());
    resources.use(this.#allocator.retain?.());
    resources.use(this.#scope);
    const { perfMap, jitdump } = this.#profilerOptions;
    if (perfMap || jitdump !== undefined) {
      this.#profilers = new Profilers(this.#profilerOptions, this.#allocator.pageSize);
    }
    this.#resources = resources.move();
    this.ending.own(this.#resources);
  }

  /** Tells debuggers of guards, once, if they are told of modules. */
  #tellOfGuards(): void {
    if (!this.#debug || !this.#hasGuards || this.#hasToldOfGuards || this.#resources === undefined) return;
    this.#hasToldOfGuards = true;
    this.#resources.use(tellDebuggersOfGuards());
  }

  #start(
    image: LoadedImage,
    key: string,
    path: string,
    number: number,
    linked?: (image: LoadedImage) => void,
  ): ModuleVersion {
    return inFile(path, () => {
      const version = ModuleVersion.create(image, path, number);
      if (number === 1) this.#takeOwnAddresses(version, this.#exportsOf(version));
      using undo = new DisposableStack();
      undo.defer(() => version.lifetime.revokeQuietly());
      this.#tell(version, this.catalog.isNamed(key) ? undefined : path, () => linked?.(image));
      undo.move();
      return version.start();
    });
  }

  /**
   * Tells profilers and debuggers of a version that is linked, before any of its code runs.
   *
   * @param file The path of its file; undefined for bytes.
   * @param ready Called between the two: it may lead the code to other places, which debuggers are told.
   */
  #tell(version: ModuleVersion, file: string | undefined, ready: () => void): void {
    this.#profilers?.add(version.image, version.path, version.number);
    ready();
    if (this.#debug) tellDebuggers(version, file);
  }

  /** Lets a new module see the same addresses of its functions as its importers. */
  #takeOwnAddresses(version: ModuleVersion, exports: StableExports): void {
    using undo = new DisposableStack();
    undo.defer(() => version.lifetime.revokeQuietly());
    exports.takeOwnAddresses();
    this.#exports.set(version, exports);
    undo.move();
  }

  #exportsOf(version: ModuleVersion): StableExports {
    return new StableExports(version, this.#allocator, this.catalog.callsDrained);
  }
}
