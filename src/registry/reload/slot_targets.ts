/**
 * Where the trampoline slots of a module lead once a candidate takes over.
 */

import { type Compatibility, fitOf, isRefused } from "../../image/compatibility.ts";
import type { ModuleVersion } from "../../module/version.ts";
import { findByKey } from "./exports.ts";
import type { SlotFunctions } from "./slot_functions.ts";
import type { RenewedSlots, SlotNames, TrampolineSlot } from "./slot_names.ts";

/** The addresses that slots lead to in a candidate. */
export interface SlotTargets {
  /** By the slots' indices. */
  readonly addresses: Float64Array;
  /** Slots that go on leading into an older version. */
  readonly kept: ReadonlySet<TrampolineSlot>;
  /** Names in use that the candidate lacks or has as something else. */
  readonly missing: readonly string[];
  /** Slots that nobody uses and that lead nowhere in the candidate. */
  readonly dropped: readonly TrampolineSlot[];
  /** Slots that stay with old code, and those that take their places. */
  readonly renewed: RenewedSlots;
}

/**
 * Finds where each slot leads in a candidate.
 *
 * @param addressOf The address that a slot leads to now.
 * @param functions The candidate's functions.
 * @param renewed The slots of functions whose signature it changes.
 * @param addresses Gets the addresses: one for each slot.
 */
export function findTargets(
  slots: SlotNames,
  addressOf: (slot: TrampolineSlot) => number,
  candidate: ModuleVersion,
  functions: SlotFunctions,
  compatibility: Compatibility,
  renewed: RenewedSlots,
  addresses: Float64Array,
): SlotTargets {
  addresses.fill(0);
  const kept = new Set<TrampolineSlot>();
  const missing: string[] = [];
  const dropped: TrampolineSlot[] = [];
  // Asking an empty map for each of thousands of objects takes longer than the rest.
  const isRenewing = renewed.size > 0;
  const keep = (slot: TrampolineSlot): void => {
    addresses[slot.index] = addressOf(slot);
    kept.add(slot);
  };
  // Those that the candidate lacks are among the current ones then.
  for (const index of slots.quiet.findTargets(functions, addresses)) slots.wake(index);
  for (const slot of slots.retired()) {
    if (!slot.isCandidateOnly) keep(slot);
  }
  for (const slot of slots.current()) {
    const { index } = slot, next = isRenewing ? renewed.get(slot) : undefined;
    if (next !== undefined) {
      keep(slot);
      kept.delete(next);
      addresses[next.index] = functions.addresses[index];
      continue;
    }
    if (functions.symbols[index] >= 0 && slot.kind === "function" && slot.size === 0) {
      addresses[index] = functions.addresses[index];
      continue;
    }
    const target = findByKey(candidate, slot.name);
    const fit = fitOf(slot, target);
    if (target !== undefined && fit === "fits") {
      addresses[index] = Number(target.address);
    } else if (slot.claims.exist && !slot.isCandidateOnly && isRefused(fit, compatibility)) {
      missing.push(slot.name);
    } else if (slot.claims.exist || (slot.isTaken && !slot.isCandidateOnly)) {
      keep(slot);
    } else {
      dropped.push(slot);
    }
  }
  return { addresses, kept, missing, dropped, renewed };
}
