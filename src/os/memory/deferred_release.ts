/**
 * What the system did not take back when its owner had no more use for it, and
 * nobody is left who could try again: it is tried again whenever the system
 * gives or takes other memory.
 */

const owed = new Set<Disposable>();
let isSettling = false;

/** Disposes of `owned`, now or later. Why it is given up matters more than whether that succeeds at once. */
export function abandon(owned: Disposable): void {
  try {
    owned[Symbol.dispose]();
  } catch {
    owed.add(owned);
  }
}

/** Has the rest of something that could not be disposed of tried again later. */
export function defer(owned: Disposable): void {
  owed.add(owned);
}

/** Tries again to dispose of what is left over. */
export function retryDeferred(): void {
  // What is disposed of may come here again.
  if (owed.size === 0 || isSettling) return;
  isSettling = true;
  try {
    for (const each of [...owed]) {
      owed.delete(each);
      abandon(each);
    }
  } finally {
    isSettling = false;
  }
}
