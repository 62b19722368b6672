/**
 * The plan for the variables of a new version: which of them stay, move, or start anew.
 */

import type { TableDifference } from "../../image/homes/compare_tables.ts";
import type { FollowedVariable, HomeFate } from "../../image/homes/follow.ts";
import type { HomePlaces } from "../../image/homes/places.ts";
import type { VersionPair } from "../../image/version_pair.ts";
import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import type { HomePlace, HomeTable } from "./table.ts";
import type { ThreadLocalKeep } from "./thread_locals.ts";

/** The plan for one home of the new version. */
export interface HomePlan {
  /** Its index. */
  readonly home: number;
  fate: HomeFate["fate"];
  /** The place that it is kept at, or whose value it gets. */
  readonly place: HomePlace | undefined;
  /** Why it starts with the new version's value. */
  reason: string | undefined;
  /** Its variables and what they were in the version that tells; empty if fresh. */
  readonly variables: readonly FollowedVariable[];
  /** That version. */
  readonly from: LoadedImage | undefined;
  /** How a table of a C++ class differs, which is why it starts anew. */
  readonly difference?: TableDifference | undefined;
}

/** The plan for all homes of the new version. */
export interface KeepPlan {
  readonly table: HomeTable;
  readonly previous: LoadedImage;
  readonly candidate: PlacedImage;
  readonly places: HomePlaces;
  readonly pair: VersionPair;
  /** In the order of the homes. */
  readonly homes: readonly HomePlan[];
  /** Undefined if it has no thread-local variables. */
  readonly threadLocals: ThreadLocalKeep | undefined;
}

/** How many homes are kept. */
export function countKept(homes: readonly HomePlan[]): number {
  return homes.reduce((count, { fate }) => fate === "kept" ? count + 1 : count, 0);
}

/** Makes a home fresh. */
export function makeFresh(home: HomePlan, reason: string): void {
  if (home.fate === "fresh") return;
  home.fate = "fresh";
  home.reason = reason;
}
