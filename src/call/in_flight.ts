/**
 * Nonblocking calls in flight: calls that another thread is running, or is
 * about to run.
 */

import { whenFulfilled, withResolver } from "../os/intrinsics.ts";

/** Counts nonblocking calls. */
export interface CallCounter {
  /** Counts a call, before it begins; call the result when it has returned. */
  begin(): () => void;
}

/**
 * Settles when calls have ended: with true if all have returned, with false if
 * some were lost with the isolate that began them, and may be running for ever.
 * Never rejects.
 */
export type CallsDrained = Promise<boolean>;

/** Settles when all of `waits` have; undefined if there is nothing to wait for. */
export function whenAll(waits: readonly (CallsDrained | undefined)[]): CallsDrained | undefined {
  let left = 0;
  for (let index = 0; index < waits.length; index++) if (waits[index] !== undefined) left++;
  if (left === 0) return undefined;
  const { promise, resolve } = withResolver<boolean>();
  let haveAllReturned = true;
  for (let index = 0; index < waits.length; index++) {
    const wait = waits[index];
    if (wait === undefined) continue;
    whenFulfilled(wait, (haveReturned) => {
      haveAllReturned &&= haveReturned;
      if (--left === 0) resolve(haveAllReturned);
    });
  }
  return promise;
}

/** The calls that began between two questions whether all have returned. */
class Batch {
  /** The number of its calls that have not returned. */
  count = 0;
  /** The batch before, if a call of it or of one before it has not returned. */
  previous: Batch | undefined;
  /** The batch after; undefined while calls are still added to this one. */
  next: Batch | undefined;
  #waiter: ReturnType<typeof withResolver<boolean>> | undefined;

  constructor(previous?: Batch) {
    this.previous = previous;
  }

  /** Settles when every call of this batch and of all before has returned. */
  get returned(): CallsDrained {
    return (this.#waiter ??= withResolver<boolean>()).promise;
  }

  /** Settles this batch and those after it, as far as all calls have returned. */
  settle(): void {
    // deno-lint-ignore no-this-alias
    let batch: Batch = this;
    while (batch.count === 0 && batch.previous === undefined && batch.next !== undefined) {
      batch.#waiter?.resolve(true);
      batch = batch.next;
      batch.previous = undefined;
    }
  }
}

/** Counts nonblocking calls in flight, and lets others wait for them. */
export class CallsInFlight implements CallCounter {
  #count = 0;
  #batch = new Batch();
  readonly #changed: (count: number) => void;

  /** @param changed Gets the new count whenever a call begins or has returned. */
  constructor(changed: (count: number) => void) {
    this.#changed = changed;
  }

  get count(): number {
    return this.#count;
  }

  /** Counts a call, before it begins; call the result when it has returned. */
  begin(): () => void {
    const batch = this.#batch;
    batch.count++;
    this.#changed(++this.#count);
    let hasEnded = false;
    return () => {
      if (hasEnded) return;
      hasEnded = true;
      batch.count--;
      batch.settle();
      this.#changed(--this.#count);
    };
  }

  /** Settles when the calls that are in flight now have returned; undefined if there are none. */
  whenReturned(): CallsDrained | undefined {
    if (this.#count === 0) return undefined;
    const batch = this.#batch;
    // Asked again before another call began.
    if (batch.count === 0 && batch.previous !== undefined) return batch.previous.returned;
    this.#batch = batch.next = new Batch(batch);
    return batch.returned;
  }
}
