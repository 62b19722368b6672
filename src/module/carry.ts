/**
 * Carries the values of variables from one version of a module to the next.
 *
 * Variables match by name, size, type and version. A word in a variable that is
 * an address inside the old image becomes the address of the same symbol in the
 * new one; if the new one has no such symbol, the word is reported and the old
 * version stays.
 */

import { VersionPair } from "../image/compatibility.ts";
import { guardedName } from "../image/symbol_names.ts";
import type { LoadedImage } from "../load/loader.ts";
import { AddressMap } from "./address_map.ts";
import { addressesOf, forEachAddress, ImageData, offsetOf, writeAddress } from "./image_data.ts";
import { registeredObjects } from "./registered_objects.ts";

/** A variable that starts with the new version's value, and the reason. */
export interface FreshVariable {
  /** The symbol's name. */
  readonly name: string;
  /** The mismatch, as a phrase for messages. */
  readonly reason: string;
}

/** A word that still points into the old version. */
export interface OldPointer {
  /** The variable that holds it. */
  readonly name: string;
  /** Its offset in the variable, in bytes. */
  readonly offset: number;
  /** The address. */
  readonly value: bigint;
}

/** The outcome of carrying variables. */
export interface CarryReport {
  /** The names of variables whose values were carried over. */
  readonly carried: readonly string[];
  /** Variables of the new version that start with its own values. */
  readonly fresh: readonly FreshVariable[];
  /** Addresses inside the old version, which is kept for them. */
  readonly oldPointers: readonly OldPointer[];
}

/** What happens to a variable of the new version. */
interface Plan {
  /** The index in the new version's symbol table. */
  readonly index: number;
  readonly name: string;
  /** The index in the old version's symbol table; undefined if the variable matches none. */
  readonly before: number | undefined;
  /** Why it starts with its own value; undefined if it gets the old one. */
  reason: string | undefined;
}

/** Copies the variables that match from `previous` to `candidate`. */
export function carryState(previous: LoadedImage, candidate: LoadedImage): CarryReport {
  const carried: string[] = [];
  const fresh: FreshVariable[] = [];
  const oldPointers: OldPointer[] = [];
  const pair = new VersionPair(previous, candidate);
  const previousData = new ImageData(previous);
  const candidateData = new ImageData(candidate);
  const range = addressesOf(previous.memory);
  const map = new AddressMap(pair, Number(candidate.memory.address));
  for (const { index, name, before, reason } of planVariables(pair, previous, candidate)) {
    if (before === undefined || reason !== undefined) {
      fresh.push({ name, reason: reason! });
      continue;
    }
    const size = candidate.file.symbols.size(index);
    const from = offsetOf(previous, before);
    const to = candidateData.at(offsetOf(candidate, index), size);
    to.set(previousData.at(from, size));
    forEachAddress(to, from, range, (value, offset) => {
      const translated = map.translate(value - range.first);
      if (translated === undefined) oldPointers.push({ name, offset, value: BigInt(value) });
      else writeAddress(to, offset, translated);
    });
    carried.push(name);
  }
  return { carried, fresh, oldPointers };
}

/** Decides for each variable of the new version whether it gets the old value. */
function planVariables(pair: VersionPair, previous: LoadedImage, candidate: LoadedImage): Plan[] {
  const plans: Plan[] = [];
  const isDestroyed = [registeredObjects(previous), registeredObjects(candidate)];
  for (const { index, name, before, reason } of pair.variables()) {
    const plan: Plan = { index, name, before, reason };
    plans.push(plan);
    if (before === undefined) continue;
    const size = candidate.file.symbols.size(index);
    if (
      isDestroyed[0](offsetOf(previous, before), size) || isDestroyed[1](offsetOf(candidate, index), size)
    ) {
      plan.reason = DESTROYED;
    }
  }
  followGuards(plans);
  return plans;
}

const DESTROYED = "its destructor is registered, and only one version may own what it holds";

/** A variable and the guard that records its first initialisation start anew together. */
function followGuards(plans: readonly Plan[]): void {
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
