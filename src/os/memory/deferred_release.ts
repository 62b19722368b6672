/**
 * Deferred release: resources that the system refused to take back are offered
 * to it again later, when their owner can no longer do that itself.
 *
 * | function | use |
 * |---|---|
 * | `abandon` | releases a resource while another error is on its way: never throws, defers if the release fails |
 * | `defer` | keeps a resource, whose release has failed, for a later attempt |
 * | `retryDeferred` | attempts to release all deferred resources; called whenever the system gives or takes other memory |
 */

const deferred = new Set<Disposable>();
let isRetrying = false;

/** Disposes of `owned`; defers it if that fails, so that the error which led here is the one that is thrown. */
export function abandon(owned: Disposable): void {
  try {
    owned[Symbol.dispose]();
  } catch {
    deferred.add(owned);
  }
}

/** Keeps `owned`, to dispose of it at the next {@linkcode retryDeferred}. */
export function defer(owned: Disposable): void {
  deferred.add(owned);
}

/** Attempts to dispose of everything deferred; keeps whatever fails again. */
export function retryDeferred(): void {
  // Disposing may lead back here.
  if (deferred.size === 0 || isRetrying) return;
  isRetrying = true;
  try {
    for (const each of [...deferred]) {
      deferred.delete(each);
      abandon(each);
    }
  } finally {
    isRetrying = false;
  }
}
