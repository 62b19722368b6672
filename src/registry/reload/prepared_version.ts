/**
 * A version that is ready to take over the exports of a module.
 */

import type { Compatibility } from "../../image/compatibility.ts";
import type { LeaseRequest } from "./replaceable_leases.ts";

/** How a new version takes over. */
export interface PrepareOptions {
  /**
   * Whether it may lack a name that is in use: not with `strict`; with `allow`
   * the name stays with the old version, which is kept for it.
   */
  readonly compatibility: Compatibility;
  /** Versions that must stay for it, and why. */
  readonly leases: readonly LeaseRequest[];
}

/** Another version, ready to take over. */
export interface PreparedVersion {
  /** The canonical addresses of its functions, by the indexes of their symbols; 0 for others. */
  readonly canonical: Float64Array;
  /** Sends all users to it. Cannot fail. */
  commit(): void;
  /** Lets go of the previous version, once all modules are committed. */
  release(): void;
}
