/**
 * The plan for a value whose type may have changed.
 */
import type { ComparedTypes } from "./pointees.ts";
import type { Step } from "./steps.ts";

/** A part of a variable that starts with the new version's value. */
export interface FreshPart {
  /** Its path in the variable, such as `[].position.z`. */
  readonly path: string;
  /** The reason, as a phrase for messages. */
  readonly reason: string;
  /** Whether the old version has no such part. */
  readonly isNew: boolean;
}

/** How a value of an old type becomes one of a new type. */
export interface TypePlan {
  /** `same`: its bytes stay as they are; `changed`: by steps; `fresh`: not at all. */
  readonly fate: "same" | "changed" | "fresh";
  /** Why nothing is kept. */
  readonly reason?: string;
  /** The steps; with `same` one move at most. */
  readonly steps: readonly Step[];
  /** How often steps are taken, which bounds the time. */
  readonly cost: number;
  /** The change of the value itself, as a phrase, and those of the structs in it. */
  readonly change?: string;
  readonly structs: readonly string[];
  readonly fresh: readonly FreshPart[];
  /** Whether the types do not tell all of the layout, so that equal bytes may mean something else. */
  readonly isUnsure: boolean;
  /** The structs that it points to, in both versions. */
  readonly pointees: readonly (readonly [before: number, after: number])[];
}

/** The plan of a value without steps, to be completed. */
export const NOTHING = { steps: [], cost: 0, structs: [], fresh: [], isUnsure: false, pointees: [] } as const;

/** A plan that keeps nothing. */
export function freshPlan(reason: string): TypePlan {
  return { ...NOTHING, fate: "fresh", reason };
}

/** Plans what becomes of values of one type. */
export interface Planner extends ComparedTypes {
  /** Whether values stay where they are if nothing changes: then also those whose copies would need code. */
  readonly isInPlace: boolean;
  /** Plans how values of the type `before` of the old version become values of the type `after` of the new one. */
  plan(before: number, after: number): TypePlan;
  /** Writes a type of the old version as C does. */
  oldName(type: number): string;
  /** Writes a type of the new version as C does. */
  newName(type: number): string;
}
