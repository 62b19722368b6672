/**
 * Importers of a module's variables, over all its versions.
 *
 * Imported data has no trampoline: a reload changes the words that hold the
 * variable's address. An importer that refers to it in another way keeps the
 * version that it was linked to.
 */

import { LazySet } from "../../os/lazy_collections.ts";
import { type Compatibility, fitOf, isRefused } from "../../image/compatibility.ts";
import { LoadError } from "../../errors/load_error.ts";
import { type Claim, declarationsOf, type NameUse } from "./claims.ts";
import { findExported } from "./exports.ts";
import type {
  DataReferences,
  FoundImport,
  ModuleIdentity,
  PreparedPatch,
} from "../../load/imports/resolve.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** One import of a variable. */
interface VariableImport {
  readonly name: string;
  readonly importer: ModuleIdentity;
  /** The declarations that it was linked to. */
  readonly claim: Pick<Claim, "suits">;
  /** The address of the variable that the importer is linked to, or will be. */
  address: bigint;
  /** The importer's words that hold that address; known once it is linked. */
  references: DataReferences | undefined;
  /** The hold on the version that has the variable. */
  hold: Disposable;
}

/** Importers of variables, ready to use those of another version. */
export interface PreparedVariables {
  /** Changes the importers' words. Cannot fail. */
  commit(): void;
  /** Protects the changed words again, once all modules are committed. */
  protect(): void;
  /** Disposes of the holds on the previous version, after {@linkcode PreparedVariables.protect}. */
  release(): void;
}

/** The importers of one module's variables. */
export class VariableImporters {
  readonly #imports = new LazySet<VariableImport>();

  /**
   * Finds the variable that an importer is linked to. The importer holds
   * `version` until its words are changed to the variable of another one. The
   * result, which the importer keeps, does not refer to the version: modules that
   * import from each other could not be garbage collected.
   */
  find(name: string, version: ModuleVersion, isIsolateLocal: FoundImport["isIsolateLocal"]): FoundImport {
    const found = findExported(version, name)!.address;
    const { provider } = version;
    const { description } = provider;
    const declared = declarationsOf(version.image);
    let entered: VariableImport | undefined;
    return {
      get address(): bigint {
        return entered?.address ?? found;
      },
      from: description,
      provider: {
        description,
        hold: (importer) => {
          const hold = provider.hold(importer);
          const claim = { suits: [declared] };
          const added = entered = { name, importer, claim, address: found, references: undefined, hold };
          this.#imports.add(added);
          return {
            [Symbol.dispose]: () => {
              if (this.#imports.delete(added)) added.hold[Symbol.dispose]();
            },
          };
        },
      },
      onLinked: (references) => entered!.references = references,
      isIsolateLocal,
    };
  }

  /** The uses of variables: importers have the whole layout in their code. */
  *uses(): Iterable<NameUse> {
    for (const { name, claim } of this.#imports) yield { name, claim, isWhole: true };
  }

  /** The variables in use that a candidate lacks, or has as something else. */
  missing(candidate: ModuleVersion, compatibility: Compatibility): string[] {
    return [...this.#imports].map(({ name }) => name).filter((name) =>
      isRefused(fitOf({ kind: "data", size: 0 }, findExported(candidate, name)), compatibility)
    );
  }

  /**
   * Gets ready to lead importers to a candidate's variables. An importer whose
   * words cannot all be changed keeps the version that it has.
   *
   * @param undo Gets what is to be disposed of if the candidate does not take over.
   */
  prepare(candidate: ModuleVersion, undo: DisposableStack): PreparedVariables {
    const moves = [...this.#imports].flatMap((imported) => {
      const target = findExported(candidate, imported.name);
      if (target?.kind !== "data") return [];
      // Of a variable that stays where it is, every reference is right.
      const stays = target.address === imported.address;
      if (!stays && imported.references?.canFollow === false) {
        if (isIn(imported.address, candidate)) throw cannotFollow(imported.name, candidate.path);
        return [];
      }
      // An importer that is not linked yet takes the address when it is.
      const references = stays ? undefined : imported.references;
      const patch = references?.prepare(imported.address, target.address) ?? NO_PATCH;
      undo.defer(() => patch.release());
      const next = undo.use(candidate.provider.hold(imported.importer));
      return [{ imported, patch, next, address: target.address }];
    });
    const replaced: Disposable[] = [];
    return {
      commit() {
        for (const { imported, patch, next, address } of moves) {
          patch.commit();
          replaced.push(imported.hold);
          imported.address = address;
          imported.hold = next;
        }
      },
      protect() {
        for (const { patch } of moves) patch.release();
      },
      release() {
        for (const hold of replaced) hold[Symbol.dispose]();
      },
    };
  }
}

/** Whether an address is in a candidate's own memory: there nobody uses what stays elsewhere. */
function isIn(address: bigint, { image: { memory } }: ModuleVersion): boolean {
  return address >= memory.address && address < memory.address + BigInt(memory.size);
}

function cannotFollow(name: string, path: string): LoadError {
  return new LoadError(
    "Incompatible",
    "Cannot keep variables: code of a module that is reloaded too addresses one directly",
    {
      path,
      symbol: name,
      symbols: [name],
      hint: "compile that module with -fPIC, or reload the modules one by one",
    },
  );
}

/** For importers that hold no word to change yet. */
const NO_PATCH: PreparedPatch = { commit() {}, release() {} };
