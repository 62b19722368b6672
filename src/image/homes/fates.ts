/**
 * The fates of homes when a new version takes over.
 */

import type { ComparedVersion } from "../version_pair.ts";
import type { TypePlan } from "../../types/type_plan.ts";
import type { TableDifference } from "./compare_tables.ts";

/** A version whose homes are compared. */
export interface HousedVersion extends ComparedVersion {
  /** Its data before any of its code ran, by offset in the range; undefined if nobody kept that. */
  initialAt(place: number, size: number): Uint8Array | undefined;
  /** Its constants as they are now, by offset in the range; absent if it is not in memory. */
  readonly constantsAt?: (place: number, size: number) => Uint8Array;
}

/** A variable of a home, and the one of the old version that it was. */
export interface FollowedVariable {
  /** The index in the new version's symbol table. */
  readonly index: number;
  readonly name: string;
  /** The index in the old version's symbol table. */
  readonly before: number;
  /** How its value follows by the types; undefined if the files do not tell them. */
  readonly plan: TypePlan | undefined;
}

/** The fate of a home of the new version. */
export type HomeFate =
  | {
    readonly fate: "kept" | "moved";
    /** The old version's home. */
    readonly before: number;
    readonly variables: readonly FollowedVariable[];
  }
  | {
    readonly fate: "fresh";
    readonly reason: string;
    /** Whether the old version has none of its names, so that an older one may. */
    readonly isNew: boolean;
    /** How a table of a class differs, so that objects of before do not suit the new version. */
    readonly difference?: TableDifference;
  };
