/**
 * A module that was compiled and opened in one step.
 */
import { cutStacks } from "../errors/edge.ts";
import type { ModuleSymbols } from "../module/binding.ts";
import type { CarryReport } from "../module/carry.ts";
import { bindAdded, type LiveLibrary } from "../module/live.ts";
import { showAs, shownNames } from "../os/inspection.ts";
import type { ModuleRegistry } from "../registry/registry.ts";
import type { BuiltModule } from "./build.ts";

/** Builds the module of a library. */
export interface LibrarySource {
  /** The result of the last build. */
  built(): BuiltModule;
  /**
   * Builds and reloads.
   *
   * @returns a report of variables; undefined if nothing was reloaded.
   */
  rebuild(): Promise<CarryReport | undefined>;
}

/** The parts of a library. */
interface Parts {
  readonly library: LiveLibrary;
  /** The registry, if it ends with the library. */
  readonly owned: ModuleRegistry | undefined;
  readonly source: LibrarySource;
  /** Whether exports that later versions add are opened, too. */
  readonly opensAll: boolean;
}

let create: <Symbols>(parts: Parts) => CompiledLibrary<Symbols>;
let addExports: (library: CompiledLibrary<unknown>) => boolean;

/**
 * A module that was compiled and opened by {@linkcode cc}. Its functions follow rebuilds.
 *
 * Safety: as for {@linkcode LiveLibrary}.
 */
export class CompiledLibrary<Symbols = ModuleSymbols> implements Disposable, AsyncDisposable {
  readonly #library: LiveLibrary;
  readonly #owned: ModuleRegistry | undefined;
  readonly #source: LibrarySource;
  readonly #opensAll: boolean;
  readonly #leftOut: Map<string, string>;
  /**
   * A function for each function, and for each variable a getter that reads its current value. Exports that a later
   * version adds are added, if all were opened.
   */
  readonly symbols: Symbols;

  static {
    create = (parts) => new CompiledLibrary(parts);
    addExports = (library) => {
      library.#addExports();
      return library.#library.isOpen;
    };
    cutStacks(this.prototype);
    showAs(this.prototype, "CompiledLibrary", (library) =>
      #library in library
        ? {
          sources: library.#source.built().runs.map(({ source }) => source),
          isOpen: library.#library.isOpen,
          symbols: shownNames(Object.keys(library.symbols as object)),
        }
        : {});
  }

  private constructor({ library, owned, source, opensAll }: Parts) {
    this.#library = library;
    this.#owned = owned;
    this.#source = source;
    this.#opensAll = opensAll;
    this.#leftOut = new Map(library.leftOut);
    const { symbols } = library;
    this.symbols =
      (opensAll
        ? Object.create(Object.getPrototypeOf(symbols), Object.getOwnPropertyDescriptors(symbols))
        : symbols) as Symbols;
  }

  /** The exports that cannot be called or read, each with the reason, if all were opened; else empty. */
  get leftOut(): ReadonlyMap<string, string> {
    return this.#leftOut;
  }

  /** The module's bytes, how each source was compiled, and the link map. */
  get built(): BuiltModule {
    return this.#source.built();
  }

  /**
   * Compiles changed sources, and puts the new version in the place of the old one, with its variables where they
   * are. `symbols` run the new code from the next call on. If anything fails, the old version goes on.
   *
   * In a program that `smf dev` runs, which does all that whenever a source is saved, this does nothing.
   *
   * Safety: as for {@linkcode ModuleRegistry.reload}.
   *
   * @returns a report of what became of variables; undefined if the module is the same, byte by byte.
   * @throws {CompileError} if sources do not compile.
   * @throws {LoadError} As {@linkcode build} and {@linkcode ModuleRegistry.reload}.
   */
  async rebuild(): Promise<CarryReport | undefined> {
    const carried = await this.#source.rebuild();
    this.#addExports();
    return carried;
  }

  #addExports(): void {
    if (!this.#opensAll || !this.#library.isOpen) return;
    const known = new Set([...Object.keys(this.symbols as object), ...this.#leftOut.keys()]);
    const { symbols, leftOut } = bindAdded(this.#library, known);
    Object.defineProperties(this.symbols, symbols);
    for (const [name, reason] of leftOut) this.#leftOut.set(name, reason);
  }

  /**
   * Ends these functions, and the module unless the registry is the caller's.
   *
   * @throws {LoadError} `Busy` while a nonblocking call is in flight; then nothing has changed.
   */
  close(): void {
    this.#library.close();
    this.#owned?.[Symbol.dispose]();
  }

  /** Like {@linkcode CompiledLibrary.close}, but waits for nonblocking calls. */
  async closeAsync(): Promise<void> {
    await this.#library.closeAsync();
    await this.#owned?.[Symbol.asyncDispose]();
  }

  /** Does the same as {@linkcode CompiledLibrary.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Does the same as {@linkcode CompiledLibrary.closeAsync}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeAsync();
  }
}

/** Makes the library of an opened module. */
export function compiledLibrary(parts: Parts): CompiledLibrary<unknown> {
  return create(parts);
}

/**
 * Opens the exports that a reload has added, if all were opened.
 *
 * @returns whether the library is open.
 */
export function openAdded(library: CompiledLibrary<unknown>): boolean {
  return addExports(library);
}
