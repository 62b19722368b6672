/**
 * The addresses of a module's exports that the program asks for: leases, and those that other isolates are given.
 */

import type { CanonicalAddresses, ModuleVersion } from "../../module/version.ts";
import { declarationsOf } from "./claims.ts";
import { findExported } from "./exports.ts";
import type { LeasedVariables } from "./leased_variables.ts";
import type { TrampolineSlot } from "./slot_names.ts";

/** The exports of a module, as its addresses are given out. */
export interface AddressSource {
  readonly version: ModuleVersion;
  slot(name: string): TrampolineSlot | undefined;
  trampoline(slot: TrampolineSlot): bigint;
}

/** Answers for the addresses of one version's exports: functions have those of their trampolines. */
export function canonicalAddresses(
  source: AddressSource,
  leased: LeasedVariables,
  version: ModuleVersion,
): CanonicalAddresses {
  const functionSlot = (name: string): TrampolineSlot | undefined => {
    // A module that has ended has no next version, and its trampolines may be gone.
    const slot = source.version.lifetime.isOpen ? source.slot(name) : undefined;
    return slot?.kind === "function" ? slot : undefined;
  };
  return {
    of(name) {
      const slot = functionSlot(name);
      return slot && source.trampoline(slot);
    },
    lease(name) {
      const slot = functionSlot(name);
      if (slot !== undefined) return slot.claims.add(slot.declared);
      // A variable of a version that was replaced is not that of the next one, whatever that declares.
      if (source.version !== version || findExported(version, name)?.kind !== "data") return undefined;
      return leased.add(name, declarationsOf(version.image));
    },
    share(name) {
      const slot = functionSlot(name);
      if (slot === undefined) return undefined;
      // Nobody knows which addresses the other isolates use, or for how long.
      slot.isTaken = true;
      return source.trampoline(slot);
    },
  };
}
