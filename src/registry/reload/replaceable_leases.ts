/**
 * Leases on older versions that one version needs for as long as it serves.
 */

import type { Lifetime } from "../../module/lifetime.ts";

/** A hold on another version that must stay. */
export interface Lease extends Disposable {
  readonly lifetime: Lifetime;
}

/** The leases of one version, of which only the latest set counts. */
export class ReplaceableLeases implements Disposable {
  #leases: readonly Lease[] = [];

  /** Replaces the set, and gives the one before to the caller. */
  replace(leases: readonly Lease[]): readonly Lease[] {
    const before = this.#leases;
    this.#leases = leases;
    return before;
  }

  [Symbol.dispose](): void {
    for (const lease of this.replace([])) lease[Symbol.dispose]();
  }
}
