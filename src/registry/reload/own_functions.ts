/**
 * The canonical addresses of a module's functions in the module itself: those of
 * the same trampolines that its importers are linked to.
 */

import { OwnAddresses, type PreparedAddresses } from "../../module/own_addresses.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { MemoryAllocator } from "../../os/memory/allocator.ts";
import { findByKey } from "./exports.ts";
import type { TrampolineSlot } from "./slot_names.ts";
import type { SlotTargets, TrampolineSlots } from "./trampoline_slots.ts";

/** Gives a new module, none of whose initialisers have run, the canonical addresses of its functions. */
export function takeOwnAddresses(
  { image }: ModuleVersion,
  allocator: MemoryAllocator,
  slotOf: (key: string) => TrampolineSlot,
  addressOf: (slot: TrampolineSlot) => bigint,
): void {
  const own = new OwnAddresses(image);
  const canonical = new Map<string, bigint>();
  for (const key of own.keys) {
    const slot = slotOf(key);
    slot.isTaken = true;
    canonical.set(key, addressOf(slot));
  }
  const patch = own.prepare(allocator, canonical, "initial");
  patch.commit();
  patch.release();
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
    const canonical = new Map<string, bigint>();
    const taken: TrampolineSlot[] = [];
    if (this.#own.isCanonical) {
      for (const slot of this.#slots.all()) {
        const found = findByKey(this.#candidate, slot.name);
        if (found?.kind !== "function" || addresses[slot.index] !== found.address) continue;
        canonical.set(slot.name, addressOf(slot));
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
