/**
 * Whether a registry is open, and how it ends: its modules first, then what
 * they needed.
 */

import type { Catalog } from "./catalog.ts";
import { LoadError } from "../errors/load_error.ts";
import type { Lifetime } from "../module/lifetime.ts";
import { abandon } from "../os/memory/deferred_release.ts";

/** Disposes of what a registry owned that was dropped. Modules in use hold what they need themselves. */
const unreachable = new FinalizationRegistry<DisposableStack>(abandon);

/** Ends one registry, at once or when its calls have come back. */
export class Ending {
  readonly #catalog: Catalog;
  readonly #watches = new AbortController();
  #isClosed = false;
  /** Versions and live libraries that are not freed yet; empty until the registry is closed. */
  #remaining: Lifetime[] = [];
  #resources: DisposableStack | undefined;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Whether the registry was disposed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Aborts when the registry is disposed, which ends its watches. */
  get signal(): AbortSignal {
    return this.#watches.signal;
  }

  /** @throws {LoadError} `Closed` if the registry was disposed. */
  requireOpen(): void {
    if (!this.#isClosed) return;
    throw new LoadError("Closed", "Cannot use registry: it was disposed", {
      hint: "create another ModuleRegistry, and dispose of it after its last use",
    });
  }

  /**
   * Takes over `resources`, which are disposed of after all modules have ended,
   * or when garbage collection finds that nobody can reach the registry. They must
   * not lead back to it.
   */
  own(resources: DisposableStack): void {
    this.#resources = resources;
    unreachable.register(this, resources);
  }

  /**
   * Ends all modules. If one fails, the others end all the same.
   *
   * @throws {LoadError} `Busy` while a nonblocking call is in flight: nothing
   * has changed then. `OutOfMemory` for the first module whose memory the
   * system does not take back; calling this again tries again.
   */
  end(): void {
    if (!this.#isClosed) {
      for (const lifetime of this.#catalog.lifetimes()) lifetime.requireNoCalls();
    }
    const failures: unknown[] = [];
    for (const lifetime of this.#close()) {
      try {
        lifetime.revoke();
      } catch (error) {
        failures.push(error);
      }
    }
    this.#resources?.dispose();
    if (failures.length > 0) throw failures[0];
  }

  /** Like {@linkcode Ending.end}, but waits for nonblocking calls. Memory under a lease goes with the lease. */
  async endAsync(): Promise<void> {
    const ends = await Promise.allSettled(
      this.#close().map((lifetime) => lifetime.revokeAndWait({ ignoreLeases: true })),
    );
    this.#resources?.dispose();
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  /** Closes the registry, and lists what is not freed yet: also in a later attempt. */
  #close(): readonly Lifetime[] {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#watches.abort();
      // Importers come after their providers, so the last one ends first.
      this.#remaining = this.#catalog.lifetimes().reverse();
      this.#catalog.clear();
    }
    return this.#remaining = this.#remaining.filter(({ state }) => state !== "freed");
  }
}
