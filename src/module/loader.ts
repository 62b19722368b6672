/**
 * The loader of single modules: without a cache and without a registry.
 */

import { type CrashOptions, ON_CRASH, type OnCrash } from "../call/guard.ts";
import { CALL_PATH, type CallPath } from "../call/path.ts";
import { cutStacks } from "../errors/edge.ts";
import { inFile } from "../errors/load_error.ts";
import { BOOLEAN, checkOptions, describeValue, type OptionTable, PATH, STRING } from "../errors/options.ts";
import { CheckCache } from "../load/checks/cache.ts";
import { type ImportResolver, type ImportSource, resolverSource } from "../load/imports/resolve.ts";
import { type LoadContext, type LoadedImage, loadSteps } from "../load/loader.ts";
import { ALLOCATOR, type MemoryAllocator, platformAllocator } from "../os/memory/allocator.ts";
import { runtimeNames } from "../load/runtime/names.ts";
import { requireGuards } from "../load/runtime/crash_guard.ts";
import { openGate } from "../load/runtime/safe_point.ts";
import { type LoadedModule, openHandle } from "./handle.ts";
import { pathOf, readBytes, readFile, readFileAsync } from "../load/file/source.ts";
import { ModuleVersion } from "./version.ts";

/** Options of a {@linkcode ModuleLoader}. */
export interface ModuleLoaderOptions extends CrashOptions {
  /**
   * The allocator of the modules' memory.
   *
   * @default platformAllocator()
   */
  readonly allocator?: MemoryAllocator;
  /**
   * The folder for what the checks of module files find, as with the same option of
   * a `ModuleRegistry`.
   *
   * Platforms: Linux and macOS; on Windows a load is a `LoadError` `Unsupported`.
   *
   * @default each load checks everything
   */
  readonly cache?: string | URL;
  /**
   * The way that calls take; see {@linkcode CallPath}.
   *
   * @default "auto"
   */
  readonly callPath?: CallPath;
  /**
   * Whether a crash in native code of a module is reported on standard error, as
   * with the same option of a `ModuleRegistry`.
   *
   * Platforms: Linux, and Windows on x86-64; elsewhere there are no reports.
   *
   * @default true
   */
  readonly crashReport?: boolean;
}

/** How {@linkcode ModuleLoader} loads one module. */
export interface ModuleLoadOptions extends CrashOptions {
  /**
   * The integrity string that the file's bytes must have: `sha256-…` and the
   * like, as {@linkcode integrityOf} writes it; several separated by spaces are
   * alternatives. It is checked before anything is mapped, on exactly the bytes
   * that are loaded.
   *
   * @default anything
   */
  readonly integrity?: string;
  /**
   * Whether the module's memory stays until the process ends, as it must for
   * modules that start threads and do not end them. Closing it makes calls throw
   * as usual; its code, its variables, its registrations and the modules that it
   * imports from stay, and its finalisers do not run.
   *
   * Safety: without `pin`, a thread that outlives the module runs in freed memory
   * and crashes the process.
   *
   * @default false
   */
  readonly pin?: boolean;
}

/** How {@linkcode ModuleLoader} loads one module from bytes. */
export interface ModuleBytesOptions extends ModuleLoadOptions {
  /**
   * The name in messages, in place of a path.
   *
   * @default "(bytes)"
   */
  readonly name?: string;
}

const LOADER_OPTIONS: OptionTable<ModuleLoaderOptions> = {
  allocator: ALLOCATOR,
  cache: PATH,
  callPath: CALL_PATH,
  crashReport: BOOLEAN,
  onCrash: ON_CRASH,
};

const LOAD_OPTIONS: OptionTable<ModuleLoadOptions> = {
  integrity: STRING,
  onCrash: ON_CRASH,
  pin: BOOLEAN,
};

const BYTES_OPTIONS: OptionTable<ModuleBytesOptions> = { ...LOAD_OPTIONS, name: STRING };

/**
 * Checks the arguments that follow the file or its bytes. An object in the place
 * of the resolver would make its options have no effect, `integrity` among them.
 */
function checkArguments<Options extends object>(
  resolver: unknown,
  options: Options,
  table: OptionTable<Options>,
): void {
  if (resolver !== undefined && typeof resolver !== "function") {
    throw new TypeError(
      `Cannot load module: the resolver is ${describeValue(resolver)}, not a function; options come after it`,
    );
  }
  checkOptions("load module", options, table);
}

/**
 * Loads modules that stand alone: each call loads the file anew, and only a
 * resolver answers a module's imports. For modules that share and import from
 * each other, use `ModuleRegistry`.
 *
 * Safety: loading runs the module's initialisers, native code that can do
 * whatever the process can. An address that a resolver answers must be that of
 * the function or variable which the module expects, and must outlive the module:
 * a wrong one crashes the process.
 *
 * Platforms: Linux on x86-64 and AArch64, and Windows on x86-64; the code for
 * macOS has never run there. A file loads only on the system and processor that
 * it was built for.
 *
 * @example A module that imports a function
 * ```ts
 * import { ModuleLoader } from "@simple/loader";
 * import { assertEquals } from "@std/assert";
 *
 * const loader = new ModuleLoader();
 * using provider = loader.load("fixtures/provider.smf");
 * using scale = provider.addressOf("scale");
 * using importer = loader.load("fixtures/importer.smf", (name) => name === "scale" ? scale!.address : null);
 * assertEquals(importer.imports()[0].from, "resolver");
 * ```
 */
export class ModuleLoader {
  static {
    cutStacks(this.prototype);
  }

  readonly #allocator: MemoryAllocator;
  readonly #checks: CheckCache | undefined;
  readonly #callPath: CallPath;
  readonly #reportsCrashes: boolean;
  readonly #onCrash: OnCrash;

  /** Opens nothing and needs no permission. */
  constructor(options: ModuleLoaderOptions = {}) {
    checkOptions("create loader", options, LOADER_OPTIONS);
    this.#allocator = options.allocator ?? platformAllocator();
    if (options.cache !== undefined) {
      this.#checks = new CheckCache(pathOf(options.cache), () => this.#allocator.pageSize);
    }
    this.#callPath = options.callPath ?? "auto";
    this.#reportsCrashes = options.crashReport ?? true;
    this.#onCrash = options.onCrash ?? "end";
  }

  /**
   * Reads, links and protects a module and runs its initialisers.
   *
   * @param path The file's path, or a `file:` URL.
   * @param resolver Answers the names that the module uses but does not define.
   * @throws {LoadError} Every kind but `Closed` and `Busy`; nothing stays behind.
   */
  load(path: string | URL, resolver?: ImportResolver, options: ModuleLoadOptions = {}): LoadedModule {
    checkArguments(resolver, options, LOAD_OPTIONS);
    const file = pathOf(path);
    return this.#open(readFile(file, loadSteps(this.#context(file, resolver, options))), file, options);
  }

  /** Like {@linkcode ModuleLoader.load}, without blocking the event loop. */
  async loadAsync(
    path: string | URL,
    resolver?: ImportResolver,
    options: ModuleLoadOptions = {},
  ): Promise<LoadedModule> {
    checkArguments(resolver, options, LOAD_OPTIONS);
    const file = pathOf(path);
    return this.#open(
      await readFileAsync(file, loadSteps(this.#context(file, resolver, options))),
      file,
      options,
    );
  }

  /**
   * Like {@linkcode ModuleLoader.load}, from the bytes of a file. They are
   * copied, so later changes have no effect.
   *
   * @example
   * ```ts
   * import { ModuleLoader } from "@simple/loader";
   * import { assertEquals } from "@std/assert";
   *
   * const bytes = Deno.readFileSync("fixtures/main.sme");
   * using module = new ModuleLoader().loadBytes(bytes);
   * assertEquals(module.entryPoint({ parameters: [], result: "i32" })?.(), 7);
   * ```
   */
  loadBytes(bytes: Uint8Array, resolver?: ImportResolver, options: ModuleBytesOptions = {}): LoadedModule {
    checkArguments(resolver, options, BYTES_OPTIONS);
    const { name = "(bytes)" } = options;
    const image = inFile(name, () => readBytes(bytes, loadSteps(this.#context(name, resolver, options))));
    return this.#open(image, name, options);
  }

  #context(
    path: string,
    resolver: ImportResolver | undefined,
    { integrity, onCrash = this.#onCrash }: ModuleLoadOptions,
  ): LoadContext {
    if (onCrash === "throw") requireGuards(path);
    const sources: ImportSource[] = resolver === undefined
      ? [runtimeNames, openGate]
      : [runtimeNames, openGate, resolverSource(resolver)];
    return {
      allocator: this.#allocator,
      sources,
      description: `module '${path}'`,
      integrity,
      reportAs: this.#reportsCrashes ? { version: 1, file: path } : undefined,
      checks: this.#checks?.of(path),
    };
  }

  #open(
    image: LoadedImage,
    path: string,
    { pin, onCrash = this.#onCrash }: ModuleLoadOptions,
  ): LoadedModule {
    const version = inFile(path, () => ModuleVersion.create(image, path, 1).start());
    if (pin === true) version.lifetime.pin();
    return openHandle(version, { callPath: this.#callPath, onCrash });
  }
}
