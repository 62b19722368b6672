/**
 * Tells a trace of the functions that are bound.
 */

import type { BindListener } from "../call/binder.ts";
import type { Trace } from "../load/trace.ts";

/** The listener for a binder; undefined where nobody listens. */
export function bindListener(trace: Trace): BindListener | undefined {
  if (trace === undefined) return undefined;
  return (kind, { name, address }, callPath) => trace({ kind, name, address, callPath });
}
