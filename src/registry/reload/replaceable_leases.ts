/**
 * Leases on older versions that one version needs for as long as it serves.
 */

import { listNames } from "../../errors/names.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import { nameOfKey } from "../../smf/entries.ts";

/** A version that must stay for another one, and why. */
export interface LeaseRequest {
  readonly lifetime: Lifetime;
  readonly why: string;
}

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

/** Returns a request for each version that slots go on leading into. */
export function requestsOf(
  kept: Iterable<{ readonly name: string; readonly target: Lifetime }>,
): LeaseRequest[] {
  const names = new Map<Lifetime, string[]>();
  for (const { name, target } of kept) {
    const known = names.get(target);
    if (known === undefined) names.set(target, [nameOfKey(name)]);
    else known.push(nameOfKey(name));
  }
  return Array.from(names, ([lifetime, found]) => {
    const functions = `${found.length === 1 ? "function" : "functions"} ${listNames(found)}`;
    return { lifetime, why: `its ${functions}, still in use` };
  });
}
