/**
 * Importers of a module's thread-local variables. Each version has variables of
 * its own, and importers find them by numbers that they read without a lock, so
 * an importer keeps the version that it was linked to.
 */

import { LazySet } from "../../os/lazy_collections.ts";
import { type Compatibility, exportsThreadLocal } from "../../image/compatibility.ts";
import { LoadError } from "../../errors/load_error.ts";
import { listNames } from "../../errors/names.ts";
import type { FoundImport, ModuleIdentity } from "../../load/imports/resolve.ts";
import { blocksLibrary } from "../../load/loader.ts";
import { exportedName } from "../../load/runtime/thread_blocks.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** One import of a variable. */
interface ThreadLocalImport {
  readonly name: string;
  readonly importer: ModuleIdentity;
  /** The version that has the variable; by its identity, since importers must not keep versions reachable. */
  readonly provider: ModuleIdentity;
}

/** The importers of one module's thread-local variables. */
export class ThreadLocalImporters {
  readonly #imports = new LazySet<ThreadLocalImport>();

  /** Finds a version's variable for an importer, which holds that version; undefined if it exports none of that name. */
  find(
    name: string,
    { image, provider: { description, hold } }: ModuleVersion,
    isIsolateLocal: FoundImport["isIsolateLocal"],
  ): FoundImport | undefined {
    const { identity } = image, library = blocksLibrary(image);
    if (library === undefined || !exportsThreadLocal(image, name)) return undefined;
    const imports = this.#imports;
    return {
      address: 0n,
      from: description,
      libraries: [library],
      nameThere: exportedName(library, name),
      isIsolateLocal,
      provider: {
        description,
        hold(importer) {
          const held = hold(importer);
          const added = { name, importer, provider: identity };
          imports.add(added);
          return {
            [Symbol.dispose](): void {
              if (imports.delete(added)) held[Symbol.dispose]();
            },
          };
        },
      },
    };
  }

  /**
   * Checks that nobody would go on with the variables of a version that is replaced.
   *
   * @param leaving Importers that do not count: they are replaced as well, or were before.
   * @throws {LoadError} `Incompatible` if somebody would, unless `compatibility` allows it.
   */
  check(
    current: ModuleVersion,
    candidate: ModuleVersion,
    compatibility: Compatibility,
    leaving: ReadonlySet<ModuleIdentity>,
  ): void {
    if (compatibility === "allow") return;
    const staying = [...this.#imports].filter(({ importer, provider }) =>
      provider === current.image.identity && !leaving.has(importer)
    );
    if (staying.length === 0) return;
    const symbols = [...new Set(staying.map(({ name }) => name))];
    const importers = [...new Set(staying.map(({ importer }) => importer.description))];
    const [noun, those] = symbols.length === 1 ? ["variable", "that"] : ["variables", "those"];
    throw new LoadError(
      "Incompatible",
      `Cannot reload: ${importers.join(", ")} would go on with the thread-local ${noun} ` +
        `${listNames(symbols)} of the old version, since each version has its own`,
      {
        path: candidate.path,
        symbols,
        hint: `reload the importers together with it (reloadAll), or keep ${those} of the old version ` +
          'for them: `compatibility: "allow"`',
      },
    );
  }
}
