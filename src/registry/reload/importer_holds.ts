/**
 * Holds of importers of a module's functions: trampolines lead importers to the
 * current version, so their holds move on to it.
 */

import { LazySet } from "../../os/lazy_collections.ts";
import type { ModuleIdentity } from "../../load/imports/resolve.ts";
import type { ModuleVersion } from "../../module/version.ts";

/** A hold on whichever version is the current one. */
interface MovingHold {
  readonly importer: ModuleIdentity;
  current: Disposable;
}

/** Holds on another version, ready to replace those on the current one. */
export interface PreparedHolds {
  /** Puts the new holds in place. Cannot fail. */
  commit(): void;
  /** Disposes of the holds on the previous version, after the commit. */
  release(): void;
}

/** The holds on one module that move from version to version. */
export class ImporterHolds {
  readonly #holds = new LazySet<MovingHold>();

  /** Holds a version for an importer, and later versions after it. */
  hold(importer: ModuleIdentity, version: ModuleVersion): Disposable {
    const hold: MovingHold = { importer, current: version.provider.hold(importer) };
    this.#holds.add(hold);
    return {
      [Symbol.dispose]: () => {
        if (this.#holds.delete(hold)) hold.current[Symbol.dispose]();
      },
    };
  }

  /** Takes holds on a candidate for all importers; `undo` gets them. */
  prepare(candidate: ModuleVersion, undo: DisposableStack): PreparedHolds {
    const moves = [...this.#holds].map((hold) => ({
      hold,
      next: undo.use(candidate.provider.hold(hold.importer)),
    }));
    const replaced: Disposable[] = [];
    return {
      commit() {
        for (const { hold, next } of moves) {
          replaced.push(hold.current);
          hold.current = next;
        }
      },
      release() {
        for (const hold of replaced) hold[Symbol.dispose]();
      },
    };
  }
}
