/**
 * Nonblocking calls that have not come back: another thread is, or may be,
 * running them.
 */

/** Whoever must know of a nonblocking call. */
export interface CallCounter {
  /** Counts a call, before it begins; the result is called when it has come back. */
  begin(): () => void;
}

/** Settles with all of what there is to wait for; undefined if there is nothing. */
export function allOf(waits: readonly (Promise<unknown> | undefined)[]): Promise<unknown> | undefined {
  const out = waits.filter((wait) => wait !== undefined);
  return out.length === 0 ? undefined : Promise.all(out);
}

/** Counts them. */
export class CallsInFlight implements CallCounter {
  readonly #calls = new Set<Promise<void>>();
  readonly #changed: (count: number) => void;

  /** @param changed Told the new count whenever a call begins or has come back. */
  constructor(changed: (count: number) => void) {
    this.#changed = changed;
  }

  get count(): number {
    return this.#calls.size;
  }

  /** Counts a call, before it begins; the result is called when it has come back. */
  begin(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#calls.add(promise);
    this.#changed(this.#calls.size);
    return () => {
      resolve();
      if (this.#calls.delete(promise)) this.#changed(this.#calls.size);
    };
  }

  /** Settles when the calls that are out now have come back; undefined if there are none. */
  out(): Promise<unknown> | undefined {
    return this.#calls.size === 0 ? undefined : Promise.all(this.#calls);
  }
}
