/**
 * Waiting for versions to end: a wait is over when the memory is freed, or when
 * only reasons that the waiter ignores keep it.
 */

import { LazySet } from "../os/lazy_collections.ts";
import { queueMicrotask } from "../os/intrinsics.ts";
import { type HeldNode, type KeepReason, keepReasons } from "./holders.ts";

/** The checks of all waits in this isolate. */
const checks = new Set<() => void>();
let isScheduled = false;

/** Has all waits checked in a microtask: something that kept memory may have gone. */
export function recheckWaits(): void {
  // One check serves everything that goes in the same turn.
  if (checks.size === 0 || isScheduled) return;
  isScheduled = true;
  queueMicrotask(() => {
    isScheduled = false;
    for (const check of [...checks]) check();
  });
}

/** The waits for the end of one version. */
export class EndWaits {
  readonly #settlers = new LazySet<(error?: unknown) => void>();

  /** Settles when {@linkcode EndWaits.settle} is called, or when only `ignored` reasons keep the memory. */
  add<V extends HeldNode<V>>(version: V, ignored: readonly KeepReason[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (error?: unknown): void => {
      checks.delete(check);
      this.#settlers.delete(settle);
      if (error === undefined) resolve();
      else reject(error);
    };
    const check = (): void => {
      const reasons = keepReasons(version);
      if (reasons.size > 0 && [...reasons].every((reason) => ignored.includes(reason))) settle();
    };
    checks.add(check);
    this.#settlers.add(settle);
    return promise;
  }

  /** Settles all waits: with `error` if freeing has failed. */
  settle(error?: unknown): void {
    for (const settle of [...this.#settlers]) settle(error);
  }
}
