/**
 * Asynchronous loads under way: callers that ask for the same module at the
 * same time share one.
 */

import type { LoadedModule } from "../module/handle.ts";
import type { Loading } from "./loading.ts";
import type { LoadOptions } from "./options.ts";

/** A caller that waits for a load. */
interface Waiter extends PromiseWithResolvers<LoadedModule> {
  readonly options: LoadOptions;
}

/** The asynchronous loads of one registry that are under way. */
export class PendingLoads {
  readonly #loading: Loading;
  /** By the module's key and the integrity string. */
  readonly #waiters = new Map<string, Waiter[]>();

  constructor(loading: Loading) {
    this.#loading = loading;
  }

  /** Joins the load of a module that is under way, or begins one. */
  load(key: string, file: string, options: LoadOptions): Promise<LoadedModule> {
    const waiter: Waiter = { ...Promise.withResolvers(), options };
    // Loads with different integrity strings are not shared, nor are their failures.
    const id = `${key}\0${options.integrity ?? ""}`;
    const waiters = this.#waiters.get(id);
    if (waiters !== undefined) {
      waiters.push(waiter);
    } else {
      this.#waiters.set(id, [waiter]);
      this.#run(id, key, file, options);
    }
    return waiter.promise;
  }

  async #run(id: string, key: string, file: string, { integrity }: LoadOptions): Promise<void> {
    try {
      const entry = await this.#loading.loadAsync(key, file, integrity);
      // All handles are opened before the first caller can close its own.
      const handles = this.#waiters.get(id)!.map(({ options }) => this.#loading.handle(entry, options));
      this.#take(id).forEach(({ resolve }, index) => resolve(handles[index]));
    } catch (error) {
      for (const { reject } of this.#take(id)) reject(error);
    }
  }

  /** Removes the waiters of a load, so that the next caller begins another load. */
  #take(id: string): readonly Waiter[] {
    const waiters = this.#waiters.get(id)!;
    this.#waiters.delete(id);
    return waiters;
  }
}
