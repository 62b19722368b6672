/**
 * The guards of a registry's replaced versions that are not freed.
 */

import type { Lifetime } from "../../module/lifetime.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { Catalog } from "../catalog.ts";
import { AddressGuard } from "./address_guard.ts";

/** Guards each version that is replaced, for as long as it is. */
export class AddressGuards {
  readonly #catalog: Catalog;
  readonly #guards = new Map<Lifetime, AddressGuard>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Guards the version that is replaced, and no longer the one that takes over. Never fails. */
  guard(previous: ModuleVersion, { lifetime }: ModuleVersion): void {
    this.#guards.get(lifetime)?.pause();
    const replaced = previous.lifetime;
    let guard = this.#guards.get(replaced);
    if (guard === undefined) {
      guard = new AddressGuard(previous, this.#catalog);
      this.#guards.set(replaced, guard);
      forgetWhenFreed(this.#guards, replaced);
    }
    guard.resume();
  }

  /** Looks again whether addresses that keep replaced versions are still there. */
  release(): void {
    const look = {};
    for (const guard of [...this.#guards.values()]) if (guard.isHolding) guard.release(look);
  }
}

/** Made outside the class: what a lifetime keeps must not lead to the catalog, and from there to the version. */
function forgetWhenFreed(guards: Map<Lifetime, AddressGuard>, lifetime: Lifetime): void {
  lifetime.whenFreed(() => guards.delete(lifetime));
}
