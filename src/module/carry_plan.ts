/**
 * Decides which variables of a new version get the old version's values.
 */

import { guardedName } from "../image/symbol_names.ts";
import type { VersionPair } from "../image/version_pair.ts";
import type { LoadedImage } from "../load/loader.ts";
import { offsetOf } from "./image_data.ts";
import { registeredObjects } from "./registered_objects.ts";

/** An address in a variable. */
export interface WordAddress {
  /** The offset of the word in the variable, in bytes. */
  readonly offset: number;
  readonly value: number;
}

/** The fate of a variable of the new version. */
export interface CarryPlan {
  /** The index in the new version's symbol table. */
  readonly index: number;
  readonly name: string;
  /** Its size in bytes, in both versions. */
  readonly size: number;
  /** The index in the old version's symbol table; undefined if the variable matches none. */
  readonly before: number | undefined;
  /** Why it starts with its own value; undefined if it gets the old one. */
  reason: string | undefined;
  /** The words that get other addresses than the old ones. */
  addresses: readonly WordAddress[];
  /** The words that keep addresses in the old version. */
  oldPointers: readonly WordAddress[];
  /** Whether its initial value differs between the files. */
  hasOtherInitialValue: boolean;
}

const NONE: readonly WordAddress[] = [];

/** Decides for each variable of the new version whether it may get the old value. */
export function planVariables(pair: VersionPair, previous: LoadedImage, candidate: LoadedImage): CarryPlan[] {
  const plans: CarryPlan[] = [];
  const wasDestroyed = registeredObjects(previous), isDestroyed = registeredObjects(candidate);
  for (const { index, name, before, reason } of pair.variables()) {
    const size = candidate.file.symbols.size(index);
    const plan: CarryPlan = {
      index,
      name,
      size,
      before,
      reason,
      addresses: NONE,
      oldPointers: NONE,
      hasOtherInitialValue: false,
    };
    plans.push(plan);
    if (before === undefined) continue;
    if (wasDestroyed(offsetOf(previous, before), size) || isDestroyed(offsetOf(candidate, index), size)) {
      plan.reason = DESTROYED;
    }
  }
  return plans;
}

const DESTROYED = "its destructor is registered, and only one version may own what it holds";

/** A variable and the guard that records its first initialisation start anew together. */
export function followGuards(plans: readonly CarryPlan[]): void {
  const guards = plans.filter(({ name }) => guardedName(name) !== undefined);
  if (guards.length === 0) return;
  const byName = new Map(plans.map((plan) => [plan.name, plan]));
  for (const guard of guards) {
    const object = byName.get(guardedName(guard.name)!);
    if (object === undefined) continue;
    if (object.reason !== undefined) guard.reason ??= "the variable that it guards starts anew";
    else if (guard.reason !== undefined) object.reason = `its guard starts anew: ${guard.reason}`;
  }
}
