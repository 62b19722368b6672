/**
 * Keeps a replaced version while variables of other versions hold addresses in
 * it, such as that of a callback which its code gave to another module.
 */

import { holdsAddressIn } from "../../module/image_data.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { ExecutableMemory } from "../../os/memory/allocator.ts";
import type { Catalog } from "../catalog.ts";

/**
 * Guards one replaced version. It looks through the variables of all versions
 * of the registry, not through the heap, thread-local variables or host
 * libraries. Refers to the catalog weakly, because the version's lifetime
 * refers to the guard and must not lead back to the version.
 */
export class AddressGuard {
  readonly #lifetime: Lifetime;
  readonly #memory: ExecutableMemory;
  readonly #catalog: WeakRef<Catalog>;
  /** Holds on the version, by the lifetimes of the versions whose variables lead into it. */
  readonly #holds = new Map<Lifetime, Disposable>();

  /** Begins with {@linkcode AddressGuard.resume}. */
  constructor({ lifetime, image }: ModuleVersion, catalog: Catalog) {
    this.#lifetime = lifetime;
    this.#memory = image.memory;
    this.#catalog = new WeakRef(catalog);
  }

  /** Guards the version from now on: it is not freed while it is pointed into. */
  resume(): void {
    this.#lifetime.guard = () => this.#hold();
  }

  /** Ends {@linkcode AddressGuard.resume}: the version is the current one again. */
  pause(): void {
    this.#lifetime.guard = () => {};
  }

  /** Whether it keeps the version now. */
  get isHolding(): boolean {
    return this.#holds.size > 0;
  }

  /** Lets go of the version for those whose variables lead elsewhere by now. */
  release(): void {
    const pointing = this.#pointing();
    for (const [lifetime, hold] of this.#holds) {
      if (pointing.has(lifetime)) continue;
      // First, because the version may be freed by what follows, and looks again before.
      this.#holds.delete(lifetime);
      hold[Symbol.dispose]();
    }
  }

  #hold(): void {
    for (const lifetime of this.#pointing()) {
      if (this.#holds.has(lifetime)) continue;
      this.#holds.set(lifetime, this.#lifetime.holdForAddress(lifetime.identity));
      lifetime.whenFreed(() => {
        // The code of a module that stays mapped may use the address for ever.
        if (lifetime.staysMapped) return;
        this.#holds.get(lifetime)?.[Symbol.dispose]();
        this.#holds.delete(lifetime);
      });
    }
  }

  #pointing(): Set<Lifetime> {
    const pointing = new Set<Lifetime>();
    for (const [lifetime, image] of this.#catalog.deref()?.images() ?? []) {
      if (lifetime !== this.#lifetime && !image.isFreed && holdsAddressIn(image, this.#memory)) {
        pointing.add(lifetime);
      }
    }
    return pointing;
  }
}
