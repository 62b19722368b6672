/**
 * Who answers for the imports of a registry's modules, in order: values that
 * the user gave, modules that are loaded, libraries of the host, a resolver.
 */

import type { Catalog } from "./catalog.ts";
import { LoadError } from "../errors.ts";
import { ImportAllowlist } from "../load/imports/allowlist.ts";
import { GivenImports, type ImportValue } from "../load/imports/given.ts";
import { HostLibraries } from "../load/imports/host_library.ts";
import { type ImportResolver, type ImportSource, resolverSource } from "../load/imports/resolve.ts";
import { runtimeNames } from "../load/runtime/names.ts";
import type { Exporter } from "./reload/stable_exports.ts";

/** What a registry's modules may import, and from where. */
export interface ImportOptions {
  /**
   * Values by name: addresses, pointers, callbacks, or typed JavaScript
   * functions, which the registry wraps and owns.
   *
   * @default {}
   */
  readonly imports?: Readonly<Record<string, ImportValue>>;
  /**
   * Shared libraries of the host, by absolute path or by the name that the
   * system finds them under, such as `libm.so.6`.
   *
   * @default []
   */
  readonly libraries?: readonly string[];
  /**
   * The only names that modules may import, with `*` and `?` as wildcards. A
   * module that imports another name is refused before anything is mapped.
   *
   * @default every name
   */
  readonly allowImports?: readonly string[];
  /** Asked last. */
  readonly resolver?: ImportResolver;
}

/** The sources of one registry. */
export class ImportScope implements Disposable {
  readonly allowlist: ImportAllowlist | undefined;
  readonly #catalog: Catalog;
  readonly #given: GivenImports;
  readonly #libraries: HostLibraries;
  readonly #resolver: readonly ImportSource[];
  #closed = false;

  constructor(catalog: Catalog, { imports = {}, libraries = [], allowImports, resolver }: ImportOptions) {
    this.allowlist = allowImports === undefined ? undefined : new ImportAllowlist(allowImports);
    this.#catalog = catalog;
    this.#given = new GivenImports(imports);
    this.#libraries = new HostLibraries(libraries);
    this.#resolver = resolver === undefined ? [] : [resolverSource(resolver)];
  }

  /**
   * For the module with this key, which never imports from itself, nor from an
   * older version of it.
   *
   * @param beside Modules that are being loaded together with it, or new
   * versions of loaded ones, which then do not answer; they are asked first.
   */
  sourcesFor(
    importer: string,
    beside: readonly { readonly key: string; readonly exports: Exporter }[] = [],
  ): ImportSource[] {
    const replaced = new Set(beside.map(({ key }) => key));
    const others = (): Exporter[] => {
      const loaded = [...this.#catalog.entries()].filter(({ key }) => !replaced.has(key));
      return [...beside, ...loaded].filter(({ key }) => key !== importer).map(({ exports }) => exports);
    };
    const modules: ImportSource = {
      find: (name) => {
        const loaded = this.#catalog.mayExport(name).filter(({ key }) => !replaced.has(key));
        for (const { key, exports } of [...beside, ...loaded]) {
          const found = key === importer ? undefined : exports.find(name);
          if (found !== undefined) return found;
        }
        return undefined;
      },
      *names() {
        for (const exports of others()) yield* exports.names();
      },
    };
    const open: ImportSource = {
      find: () => this.#requireOpen(),
    };
    return [open, this.#given, runtimeNames, modules, this.#libraries, ...this.#resolver];
  }

  /** A load may still be under way, or a resolver may have ended the registry. */
  #requireOpen(): undefined {
    if (this.#closed) throw new LoadError("Closed", "Cannot resolve imports: the registry was disposed");
  }

  /** Lets go of callbacks and libraries; those in use close with the last module that needs them. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#given[Symbol.dispose]();
    this.#libraries[Symbol.dispose]();
  }
}
