/**
 * Nonblocking calls in flight: calls that another thread is running, or is
 * about to run.
 */

/** Counts nonblocking calls. */
export interface CallCounter {
  /** Counts a call, before it begins; call the result when it has returned. */
  begin(): () => void;
}

/**
 * Settles when calls have ended: with true if all have returned, with false if
 * some were lost with the isolate that began them, and may be running for ever.
 */
export type CallsDrained = Promise<boolean>;

/** Settles when all of `waits` have; undefined if there is nothing to wait for. */
export function whenAll(waits: readonly (CallsDrained | undefined)[]): CallsDrained | undefined {
  const pending = waits.filter((wait) => wait !== undefined);
  return pending.length === 0
    ? undefined
    : Promise.all(pending).then((returned) => returned.every((allReturned) => allReturned));
}

/** Counts nonblocking calls in flight, and lets others wait for them. */
export class CallsInFlight implements CallCounter {
  readonly #calls = new Set<Promise<void>>();
  readonly #changed: (count: number) => void;

  /** @param changed Gets the new count whenever a call begins or has returned. */
  constructor(changed: (count: number) => void) {
    this.#changed = changed;
  }

  get count(): number {
    return this.#calls.size;
  }

  /** Counts a call, before it begins; call the result when it has returned. */
  begin(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#calls.add(promise);
    this.#changed(this.#calls.size);
    return () => {
      resolve();
      if (this.#calls.delete(promise)) this.#changed(this.#calls.size);
    };
  }

  /** Settles when the calls that are in flight now have returned; undefined if there are none. */
  whenReturned(): CallsDrained | undefined {
    return this.#calls.size === 0 ? undefined : Promise.all(this.#calls).then(() => true);
  }
}
