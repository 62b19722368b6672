/**
 * The sources that answer for the imports of a registry's modules, in order:
 * values that the user gave, loaded modules, libraries of the host, a resolver.
 */

import type { Catalog } from "./catalog.ts";
import { LoadError } from "../errors/load_error.ts";
import { FUNCTION, type OptionTable, PATHS, RECORD, STRINGS } from "../errors/options.ts";
import { C_LIBRARY } from "../os/dynamic_linker.ts";
import { ImportAllowlist, LibraryAllowlist } from "../load/imports/allowlist.ts";
import { GivenImports, type ImportValue } from "../load/imports/given.ts";
import { HostLibraries } from "../load/imports/host_library.ts";
import {
  type FoundImport,
  type ImportResolver,
  type ImportSource,
  resolverSource,
} from "../load/imports/resolve.ts";
import { runtimeNames } from "../load/runtime/names.ts";
import type { SafePointGate } from "../load/runtime/safe_point.ts";
import type { Exporter } from "./reload/exports.ts";
import { locatorOf } from "./symbolize.ts";

/**
 * The names that a registry's modules may import, and the sources that provide them.
 *
 * Safety: nobody checks that an address is that of the function or variable
 * that a module expects under the name; a wrong one crashes the process when
 * the module uses it. Addresses must stay valid for as long as modules use
 * them.
 */
export interface ImportOptions {
  /**
   * Values by name: addresses, pointers, callbacks, or typed JavaScript
   * functions, which the registry wraps and owns.
   *
   * @default {}
   */
  readonly imports?: Readonly<Record<string, ImportValue>>;
  /**
   * Shared libraries of the host, by absolute path, by `file:` URL, or by the
   * name that the system finds them under, such as `libm.so.6`. A library stays
   * open until the process ends, since it may have started threads.
   *
   * Names that no source has are looked up in the libraries that the module's
   * file names (`smf link --needed`), then in the C library. An empty list turns
   * that off.
   *
   * Platforms: the names and where they are searched for are the system's:
   * `libm.so.6` on Linux, `libSystem.dylib` on macOS, `kernel32.dll` on Windows.
   *
   * @default the libraries that the module names, and the C library
   */
  readonly libraries?: readonly (string | URL)[];
  /**
   * The only names that modules may import, with `*` and `?` as wildcards. A
   * module that imports another name is refused before anything is mapped.
   *
   * Safety: this does not confine a module. Native code can do whatever the
   * process can, with or without imports.
   *
   * @default every name
   */
  readonly allowImports?: readonly string[];
  /**
   * The only libraries that modules may name in their files, with `*` and `?` as
   * wildcards. A module that needs another one is refused before anything is
   * mapped; without its name in the list the C library is not used by default.
   * Libraries that the option `libraries` names need not be in the list.
   *
   * Safety: this does not confine a module. Native code can open any library.
   *
   * @default every library
   */
  readonly allowLibraries?: readonly string[];
  /** Asked for names that neither values, modules nor `libraries` have. */
  readonly resolver?: ImportResolver;
}

/** The checks of {@linkcode ImportOptions}. */
export const IMPORT_OPTIONS: OptionTable<ImportOptions> = {
  imports: RECORD,
  libraries: PATHS,
  allowImports: STRINGS,
  allowLibraries: STRINGS,
  resolver: FUNCTION,
};

/** The import sources of one registry. */
export class ImportScope implements Disposable {
  readonly allowlist: ImportAllowlist | undefined;
  readonly #catalog: Catalog;
  readonly #gate: SafePointGate;
  readonly #given: GivenImports;
  readonly #libraries: HostLibraries;
  readonly #resolver: readonly ImportSource[];
  /** Whether modules get the libraries that they name, and the C library. */
  readonly #opensNeeded: boolean;
  /** The sources of {@linkcode ImportScope.librariesOf}, by the libraries' names. */
  readonly #needed: Map<string, HostLibraries> = new Map();
  readonly libraryAllowlist: LibraryAllowlist | undefined;
  #closed = false;

  /** @param gate Defines the loader's function for safe points; the scope owns it. */
  constructor(catalog: Catalog, options: ImportOptions, gate: SafePointGate) {
    const { imports = {}, libraries = [], allowImports, allowLibraries, resolver } = options;
    this.allowlist = allowImports === undefined ? undefined : new ImportAllowlist(allowImports);
    this.libraryAllowlist = allowLibraries === undefined ? undefined : new LibraryAllowlist(allowLibraries);
    this.#opensNeeded = options.libraries === undefined || libraries.length > 0;
    this.#catalog = catalog;
    this.#gate = gate;
    this.#given = new GivenImports(imports, locatorOf(catalog));
    this.#libraries = new HostLibraries(libraries);
    this.#resolver = resolver === undefined ? [] : [resolverSource(resolver)];
  }

  /**
   * The sources for one module. It imports neither from itself nor from an
   * older version of itself.
   *
   * @param importer The module's key.
   * @param group Modules that are being loaded together with it. They are asked
   * before loaded modules; if one is a new version of a loaded module, the
   * current version is not asked.
   */
  sourcesFor(
    importer: string,
    group: readonly { readonly key: string; readonly exports: Exporter }[] = [],
  ): ImportSource[] {
    const replaced = new Set(group.map(({ key }) => key));
    const others = (): Exporter[] => {
      const loaded = [...this.#catalog.entries()].filter(({ key }) => !replaced.has(key));
      return [...group, ...loaded].filter(({ key }) => key !== importer).map(({ exports }) => exports);
    };
    const ask = (name: string, find: "find" | "findThreadLocal"): FoundImport | undefined => {
      const loaded = this.#catalog.mayExport(name).filter(({ key }) => !replaced.has(key));
      for (const { key, exports } of [...group, ...loaded]) {
        if (key === importer) continue;
        const found = exports[find](name);
        if (found !== undefined) return found;
        const other = exports[find === "find" ? "findThreadLocal" : "find"](name);
        if (other !== undefined) throw wrongKind(name, other.from, find === "findThreadLocal");
      }
      return undefined;
    };
    const modules: ImportSource = {
      find: (name) => ask(name, "find"),
      findThreadLocal: (name) => ask(name, "findThreadLocal"),
      *names() {
        for (const exports of others()) yield* exports.names();
      },
    };
    const open: ImportSource = {
      find: () => this.#requireOpen(),
      findThreadLocal: () => this.#requireOpen(),
    };
    return [open, this.#given, runtimeNames, this.#gate, modules, this.#libraries, ...this.#resolver];
  }

  /**
   * The source that is asked last for a module's imports: the libraries that its
   * file names, and the C library. Undefined if there are to be none.
   */
  librariesOf(needed: readonly string[]): ImportSource | undefined {
    if (!this.#opensNeeded) return undefined;
    const { libraryAllowlist } = this;
    const useC = C_LIBRARY !== undefined && libraryAllowlist?.allows(C_LIBRARY) !== false;
    const key = needed.join("\0");
    let source = this.#needed.get(key);
    if (source === undefined) {
      this.#needed.set(key, source = new HostLibraries(needed, useC ? C_LIBRARY : undefined));
    }
    const libraries = source;
    return {
      hasVersions: true,
      find: (name) => this.#requireOpen() ?? libraries.find(name),
      findThreadLocal: () => this.#requireOpen() ?? libraries.findThreadLocal(),
    };
  }

  /** Fails if the registry was disposed of during a load, perhaps by a resolver. */
  #requireOpen(): undefined {
    if (!this.#closed) return;
    throw new LoadError("Closed", "Cannot resolve imports: the registry was disposed", {
      hint: "dispose of the registry when all loads have ended, and not in a resolver",
    });
  }

  /** Releases callbacks: each closes when the last module that uses it has ended. Libraries stay open. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#gate[Symbol.dispose]();
    this.#given[Symbol.dispose]();
    this.#libraries[Symbol.dispose]();
    for (const source of this.#needed.values()) source[Symbol.dispose]();
  }
}

/** The error about a variable that is thread-local where it is used, or where it is defined, and not in both. */
function wrongKind(name: string, definer: string, wantsThreadLocal: boolean): LoadError {
  const [a, other] = wantsThreadLocal
    ? ["an ordinary symbol", "a thread-local variable"]
    : ["a thread-local variable", "an ordinary one"];
  return new LoadError(
    "UndefinedSymbol",
    `Cannot import '${name}': ${definer} defines it as ${a}, not ${other}`,
    {
      symbols: [name],
      hint: "declare it as thread-local in every source that uses it, or in none",
    },
  );
}
