/**
 * Importers of a module's variables, over all its versions.
 *
 * Imported data has no trampoline: the words that hold its address are changed
 * at a reload, and who refers to it in another way keeps the version that it
 * was linked to.
 */

import { type Compatibility, fitOf, isRefused } from "../../image/compatibility.ts";
import { findExported } from "./exports.ts";
import type {
  DataReferences,
  FoundImport,
  ModuleIdentity,
  PreparedPatch,
} from "../../load/imports/resolve.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** An importer of a variable. */
interface Follower {
  readonly name: string;
  readonly importer: ModuleIdentity;
  /** Where the variable is that it is linked to, or will be. */
  address: bigint;
  /** Where it holds that address; known once it is linked. */
  references: DataReferences | undefined;
  /** On the version that has the variable. */
  hold: Disposable;
}

/** An importer of a variable, ready to be led to another version's. */
export interface PreparedFollower {
  /** Leads it there; gives the hold on the version before. Cannot fail. */
  commit(): Disposable;
  /** Ends what it took to get ready, once it is committed. */
  release(): void;
}

/** Those of one module. */
export class VariableImporters {
  readonly #followers = new Set<Follower>();

  /** What an importer of a variable is linked to: it holds `version` until its words can be changed to another one. */
  find(name: string, version: ModuleVersion, isIsolateLocal: FoundImport["isIsolateLocal"]): FoundImport {
    const found = findExported(version, name)!.address;
    const { description } = version.provider;
    let follower: Follower | undefined;
    return {
      get address(): bigint {
        return follower?.address ?? found;
      },
      from: description,
      provider: {
        description,
        hold: (importer) => {
          const hold = version.provider.hold(importer);
          const added = follower = { name, importer, address: found, references: undefined, hold };
          this.#followers.add(added);
          return {
            [Symbol.dispose]: () => {
              if (this.#followers.delete(added)) added.hold[Symbol.dispose]();
            },
          };
        },
      },
      onLinked: (references) => follower!.references = references,
      isIsolateLocal,
    };
  }

  /** The variables in use that a candidate has not, or not as a variable. */
  missing(candidate: ModuleVersion, compatibility: Compatibility): string[] {
    return [...this.#followers].map(({ name }) => name).filter((name) =>
      isRefused(fitOf({ kind: "data", size: 0 }, findExported(candidate, name)), compatibility)
    );
  }

  /** Gets ready to lead importers to the candidate's variables; who cannot follow keeps the version that it has. */
  prepare(candidate: ModuleVersion, undo: DisposableStack): PreparedFollower[] {
    return [...this.#followers].flatMap((follower): PreparedFollower[] => {
      const target = findExported(candidate, follower.name);
      if (target?.kind !== "data" || follower.references?.canFollow === false) return [];
      // Who is not linked yet will take the address as it is then.
      const patch = follower.references?.prepare(follower.address, target.address) ?? NOTHING;
      undo.defer(() => patch.release());
      const next = undo.use(candidate.provider.hold(follower.importer));
      const commit = (): Disposable => {
        patch.commit();
        const { hold } = follower;
        follower.address = target.address;
        follower.hold = next;
        return hold;
      };
      return [{ commit, release: () => patch.release() }];
    });
  }
}

const NOTHING: PreparedPatch = { commit() {}, release() {} };
