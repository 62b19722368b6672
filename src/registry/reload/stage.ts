/**
 * Reloading as a transaction: everything that can fail happens to a candidate
 * that nobody sees; what is visible changes by one store.
 */

import { type CarryReport, carryState, holdsAddressIn } from "../../module/carry.ts";
import type { CallPath } from "../../call/path.ts";
import { LoadError } from "../../errors.ts";
import { type LoadedModule, openHandle } from "../../module/handle.ts";
import type { PreparedVersion, StableExports } from "./stable_exports.ts";
import type { ModuleVersion, PointedImage } from "../../module/version.ts";

/** How a module's next version takes over. */
export interface TakeoverOptions {
  /**
   * `carry`: variables keep their values (matched by name, size, type and
   * version); `fresh`: they start with the new file's. While it is carried,
   * Workers that write to variables race with it.
   *
   * @default "fresh"
   */
  readonly state?: "fresh" | "carry";
  /** Moves what cannot be carried by itself; an exception ends the reload. */
  readonly migrate?: (previous: LoadedModule, candidate: LoadedModule) => void;
  /** Tests the candidate, with its state; `false` or an exception ends the reload. */
  readonly verify?: (candidate: LoadedModule) => boolean | void;
  /**
   * What a new version may lack of what live bindings and importers use:
   * nothing (`strict`), or functions, which then stay those of the old version
   * (`allow`). Never may a name change between function and data.
   *
   * @default "strict"
   */
  readonly compatibility?: "strict" | "allow";
}

/** A candidate that has passed every step that runs foreign code. */
export interface StagedVersion {
  /** What became of the variables; undefined with `fresh`. */
  readonly report: CarryReport | undefined;
  /**
   * Gets everything ready that can fail; no foreign code may run between this
   * and the commit.
   */
  prepare(): PreparedVersion;
}

/**
 * Takes a candidate through every step before {@linkcode StagedVersion.prepare}.
 *
 * @throws {LoadError} `Incompatible`, and what `migrate` and `verify` throw;
 * then nothing has changed, and the candidate is the caller's to end.
 */
export function stage(
  exports: StableExports,
  candidate: ModuleVersion,
  callPath: CallPath,
  options: TakeoverOptions,
): StagedVersion {
  const { state = "fresh", migrate, verify, compatibility = "strict" } = options;
  const previous = exports.version;
  // Its initialisers may have started threads by now.
  if (previous.lifetime.isPinned) candidate.lifetime.pin();
  exports.check(candidate, { compatibility });
  const report = state === "carry" ? carryState(previous.image, candidate.image) : undefined;
  if (migrate !== undefined || verify !== undefined) {
    using handles = new DisposableStack();
    // Handles of their own: closing them inside the callbacks ends nothing.
    const hold = (version: ModuleVersion): LoadedModule => {
      version.addHandle();
      handles.defer(() => version.releaseHandle());
      return handles.use(openHandle(version, callPath));
    };
    const candidateHandle = hold(candidate);
    migrate?.(hold(previous), candidateHandle);
    if (verify?.(candidateHandle) === false) {
      throw new LoadError("Incompatible", "Cannot reload: verify refused the new version", {
        path: candidate.path,
      });
    }
  }
  return {
    report,
    prepare() {
      const pointed = report === undefined ? candidate.pointsInto : pointedBy(candidate, previous, report);
      const prepared = exports.prepare(candidate, { compatibility, leases: pointed });
      return {
        ...prepared,
        commit() {
          candidate.pointsInto = pointed;
          prepared.commit();
        },
      };
    },
  };
}

/** The versions that addresses in carried variables lead into: the previous one, or those before it. */
function pointedBy(candidate: ModuleVersion, previous: ModuleVersion, report: CarryReport): PointedImage[] {
  const pointed: PointedImage[] = [];
  const count = report.oldPointers.length;
  if (count > 0) {
    const why = `${count === 1 ? "1 address" : `${count} addresses`} in carried variables`;
    pointed.push({ memory: previous.image.memory, lifetime: previous.lifetime, why });
  }
  const known = new Set([candidate.lifetime, ...pointed.map(({ lifetime }) => lifetime)]);
  const older = [...previous.pointsInto, ...candidate.pointsInto].filter(({ lifetime }) => {
    const isNew = !known.has(lifetime);
    known.add(lifetime);
    return isNew;
  });
  return [...pointed, ...older.filter(({ memory }) => holdsAddressIn(candidate.image, memory))];
}
