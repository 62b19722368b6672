/**
 * The canonical addresses of a module's functions in the module itself: those of
 * the same trampolines that its importers are linked to.
 */

import { CallSlots, type PreparedCalls } from "../../module/call_slots.ts";
import { placeOfKey } from "../../module/function_keys.ts";
import { OwnAddresses, type PreparedAddresses } from "../../module/own_addresses.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { MemoryAllocator } from "../../os/memory/allocator.ts";
import { findByKey, findSought } from "./exports.ts";
import type { TrampolineSlot } from "./slot_names.ts";
import type { SlotTargets, TrampolineSlots } from "./trampoline_slots.ts";

/** Gives a new module, none of whose initialisers have run, the canonical addresses of its functions. */
export function takeOwnAddresses(
  version: ModuleVersion,
  allocator: MemoryAllocator,
  slots: TrampolineSlots,
  slotOf: (key: string) => TrampolineSlot,
): void {
  const own = new OwnAddresses(version.image);
  const addresses = takeTrampolines(own.keys, version, slots, slotOf);
  const canonical = new Map(
    own.keys.map((key, index) => [placeOfKey(version.image, key)!.index, addresses[index]]),
  );
  const patch = own.prepare(allocator, canonical, "initial");
  patch.commit();
  patch.release();
}

/**
 * Gets ready to lead the calls inside a version to trampolines, before another one takes over.
 *
 * @param undo Protects the slots again if none does.
 */
export function prepareCalls(
  current: ModuleVersion,
  allocator: MemoryAllocator,
  slots: TrampolineSlots,
  slotOf: (key: string) => TrampolineSlot,
  undo: DisposableStack,
): PreparedCalls {
  const calls = new CallSlots(current.image);
  const prepared = calls.prepare(allocator, takeTrampolines(calls.keys, current, slots, slotOf));
  undo.defer(() => prepared.release());
  return prepared;
}

/** The addresses of functions' trampolines, in the order of their keys; the functions count as taken from now on. */
function takeTrampolines(
  keys: readonly string[],
  version: ModuleVersion,
  slots: TrampolineSlots,
  slotOf: (key: string) => TrampolineSlot,
): bigint[] {
  const known = keys.map((key) => slots.find(key));
  slots.reserve(version, known.reduce((count, slot) => slot === undefined ? count + 1 : count, 0));
  return keys.map((key, index) => {
    const slot = known[index] ?? slotOf(key);
    slot.isTaken = true;
    return slots.address(version, slot);
  });
}

/** Gives a candidate the canonical addresses when it takes over. */
export class CandidateAddresses {
  readonly #candidate: ModuleVersion;
  readonly #slots: TrampolineSlots;
  readonly #own: OwnAddresses;

  constructor(candidate: ModuleVersion, slots: TrampolineSlots) {
    this.#candidate = candidate;
    this.#slots = slots;
    this.#own = new OwnAddresses(candidate.image);
  }

  /**
   * Makes the slots of functions whose address the candidate takes, where there are none.
   *
   * @param slotOf The slot of a function of the current version.
   */
  enter(current: ModuleVersion, slotOf: (key: string) => TrampolineSlot | undefined): void {
    for (const key of this.#own.keys) {
      if (this.#slots.get(key) !== undefined || slotOf(key) !== undefined) continue;
      const found = findByKey(this.#candidate, key)!;
      const slot = this.#slots.enter(current, key, found, this.#candidate);
      slot.isCandidateOnly = true;
    }
  }

  /**
   * Gets ready to change the candidate's words; everything that can fail happens
   * here. Carried variables may hold functions whose address its code never takes.
   */
  prepare(
    allocator: MemoryAllocator,
    { addresses }: SlotTargets,
    addressOf: (slot: TrampolineSlot) => bigint,
  ): PreparedAddresses {
    const canonical = new Map<number, bigint>();
    const taken: TrampolineSlot[] = [];
    if (this.#own.isCanonical) {
      for (const slot of this.#slots.all()) {
        const found = findSought(this.#candidate, slot);
        if (found?.kind !== "function" || addresses[slot.index] !== found.address) continue;
        canonical.set(found.index, addressOf(slot));
        taken.push(slot);
      }
    }
    const patch = this.#own.prepare(allocator, canonical, "whole");
    const keys = new Set(this.#own.keys);
    return {
      canonical: patch.canonical,
      commit() {
        patch.commit();
        for (const slot of taken) if (keys.has(slot.name)) slot.isTaken = true;
      },
      release: () => patch.release(),
    };
  }
}
