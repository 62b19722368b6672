/**
 * The release of a version that another one has replaced.
 */

import type { CallsDrained } from "../../call/in_flight.ts";
import type { Lifetime } from "../../module/lifetime.ts";
import { whenFulfilled } from "../../os/intrinsics.ts";

/**
 * Keeps a replaced version, and the versions that `release` gives leases on back,
 * until every call that is in flight now has returned: a call of an importer, here
 * or in another isolate, may be in any of them. A call that is lost may be there
 * for ever.
 *
 * @param drained Settles when these calls have returned or are lost; undefined if there are none.
 * @param release Told whether all have returned.
 */
export function releaseAfterCalls(
  lifetime: Lifetime,
  drained: CallsDrained | undefined,
  release: (allReturned: boolean) => void,
): void {
  if (drained === undefined) return release(true);
  const hold = lifetime.holdQuietly("running", "calls that may still be running it");
  whenFulfilled(drained, (allReturned) => {
    if (!allReturned) lifetime.pin();
    hold[Symbol.dispose]();
    release(allReturned);
  });
}
