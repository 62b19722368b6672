/**
 * Keeps a replaced version while variables of other versions hold addresses in
 * it, such as that of a callback which its code gave to another module.
 */

import { lastUpTo } from "../../smf/search.ts";
import { addressesIn, addressesOf, type AddressRange } from "../../module/image_data.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { ExecutableMemory } from "../../os/memory/allocator.ts";
import type { Catalog } from "../catalog.ts";

/** The addresses in the variables of all versions of a registry, as one look has found them. */
class FoundAddresses {
  readonly #found: readonly (readonly [Lifetime, Float64Array])[];

  constructor(catalog: Catalog | undefined) {
    const images = [...catalog?.images() ?? []].filter(([, { isFreed }]) => !isFreed);
    const range = { first: Infinity, end: 0 };
    for (const [, { memory }] of images) {
      const { first, end } = addressesOf(memory);
      range.first = Math.min(range.first, first);
      range.end = Math.max(range.end, end);
    }
    this.#found = images.map(([lifetime, image]) => [lifetime, addressesIn(image, range)]);
  }

  /** The versions whose variables hold addresses in a range. */
  *pointingInto({ first, end }: AddressRange): Iterable<Lifetime> {
    for (const [lifetime, addresses] of this.#found) {
      if (addresses[lastUpTo(addresses, end - 1)] >= first) yield lifetime;
    }
  }
}

/** Many versions are freed together: each is not to look through the variables of all of them again. */
const looks = new WeakMap<object, FoundAddresses>();

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
    this.#lifetime.guard = (look) => this.#hold(look);
  }

  /** Ends {@linkcode AddressGuard.resume}: the version is the current one again. */
  pause(): void {
    this.#lifetime.guard = () => {};
  }

  /** Whether it keeps the version now. */
  get isHolding(): boolean {
    return this.#holds.size > 0;
  }

  /**
   * Lets go of the version for those whose variables lead elsewhere by now.
   *
   * @param look The same for all guards that are asked together.
   */
  release(look: object): void {
    const pointing = new Set(this.#pointing(look));
    for (const [lifetime, hold] of this.#holds) {
      if (pointing.has(lifetime)) continue;
      // First, because the version may be freed by what follows, and looks again before.
      this.#holds.delete(lifetime);
      hold[Symbol.dispose]();
    }
  }

  #hold(look: object): void {
    for (const lifetime of this.#pointing(look)) {
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

  *#pointing(look: object): Iterable<Lifetime> {
    let found = looks.get(look);
    if (found === undefined) looks.set(look, found = new FoundAddresses(this.#catalog.deref()));
    for (const lifetime of found.pointingInto(addressesOf(this.#memory))) {
      if (lifetime !== this.#lifetime) yield lifetime;
    }
  }
}
