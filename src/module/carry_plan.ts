/**
 * Decides which variables of a new version get the old version's values.
 */

import { LoadError } from "../errors/load_error.ts";
import { guardedName } from "../image/symbol_names.ts";
import type { VersionPair } from "../image/version_pair.ts";
import type { LoadedImage } from "../load/loader.ts";
import { offsetOf } from "./image_data.ts";
import { registeredObjects } from "./registered_objects.ts";
import { takeSteps } from "../types/steps.ts";
import type { TypePlan } from "../types/type_plan.ts";

/** An address in a variable. */
export interface WordAddress {
  /** The offset of the word in the variable of the new version, in bytes. */
  readonly offset: number;
  /** Its offset in the variable of the old version. */
  readonly before: number;
  readonly value: number;
}

/** The fate of a variable of the new version. */
export interface CarryPlan {
  /** The index in the new version's symbol table. */
  readonly index: number;
  readonly name: string;
  /** Its size in bytes. */
  readonly size: number;
  /** The size of the old version's variable. */
  readonly sizeBefore: number;
  /** How the types say that its value is converted; undefined if its bytes are copied. */
  readonly conversion: TypePlan | undefined;
  /** The judgement by its types; undefined if the files do not tell them. */
  readonly type: TypePlan | undefined;
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
  for (const { index, name, before, reason, plan: type } of pair.variables()) {
    const size = candidate.file.symbols.size(index);
    const sizeBefore = before === undefined ? size : previous.file.symbols.size(before);
    const plan: CarryPlan = {
      index,
      name,
      size,
      sizeBefore,
      type,
      conversion: type?.fate === "changed" ? type : undefined,
      before,
      reason,
      addresses: NONE,
      oldPointers: NONE,
      hasOtherInitialValue: false,
    };
    plans.push(plan);
    if (before === undefined) continue;
    if (
      wasDestroyed(offsetOf(previous, before), sizeBefore) || isDestroyed(offsetOf(candidate, index), size)
    ) {
      plan.reason = DESTROYED;
    }
  }
  return plans;
}

/** Why a variable takes the new version's initial value. */
export const TAKEN = {
  byName: "`take` names it",
  unwritten: "the program has not written it, and its initial value has changed",
} as const;

/** The error of `take` for names that the new version does not have, or not `asWhat`. */
export function cannotTake(names: Iterable<string>, asWhat = ""): LoadError {
  return new LoadError(
    "Incompatible",
    `Cannot take initial value: the new version has no variable of this name${asWhat}`,
    {
      symbols: [...names],
      hint: "correct the names in `take`; smf nm FILE lists the variables of the new version",
    },
  );
}

/** Gives a variable the old version's bytes, without looking at addresses among them. */
export function copyValue({ conversion }: CarryPlan, from: Uint8Array, to: Uint8Array): void {
  if (conversion === undefined) to.set(from);
  else takeSteps(conversion.steps, from, to);
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
