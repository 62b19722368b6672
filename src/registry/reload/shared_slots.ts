/**
 * The slots of a module that other isolates were given: the names that a shared
 * library has bound, and all other exports, which they may claim later.
 */

import { LazySet } from "../../os/lazy_collections.ts";
import {
  claimCapacity,
  createClaims,
  isClaimed,
  isWithdrawn,
  restoreExport,
  withdrawExport,
} from "../../module/share/claims.ts";
import type { SharedLive } from "../../module/share/token.ts";
import type { ModuleVersion } from "../../module/version.ts";
import { exportSize, findExported, typedAt } from "./exports.ts";
import type { TrampolineSlot } from "./slot_names.ts";

/** The size of the largest static in bytes. */
const LARGEST_STATIC = 8;

/** The owner's side of claims by other isolates. */
export class SharedSlots {
  /** Slots that are in use for as long as the module lives. */
  readonly #kept = new LazySet<TrampolineSlot>();
  /** The words of all tokens, newest last. */
  readonly #claims: SharedArrayBuffer[] = [];

  /** Keeps a slot in use for as long as the module lives: isolates that were given it may call it. */
  keep(slot: TrampolineSlot): void {
    if (this.#kept.has(slot)) return;
    this.#kept.add(slot);
    slot.claims.add(slot.declared);
  }

  /**
   * Describes slots for a token, with the words by which isolates claim them.
   *
   * @param version The current version, which exports all of them.
   * @param trampoline The canonical address of a slot.
   */
  share(
    slots: readonly TrampolineSlot[],
    version: ModuleVersion,
    trampoline: (slot: TrampolineSlot) => bigint,
  ): Pick<SharedLive, "slots" | "claims" | "types"> {
    const described = slots.map((slot) => {
      const { name, index, kind } = slot;
      const { room = 0 } = findExported(version, name) ?? {};
      const symbolSize = exportSize(version, name);
      // A version must provide as much as other isolates may read, from the time that one does.
      if (kind === "data") slot.size = Math.max(slot.size, symbolSize || Math.min(room, LARGEST_STATIC));
      return {
        name,
        index,
        kind,
        address: trampoline(slot),
        size: slot.size,
        symbolSize,
        typedAt: typedAt(version, name),
      };
    });
    return { claims: this.#claimsFor(slots), slots: described, types: version.image.types?.facts };
  }

  #claimsFor(slots: readonly TrampolineSlot[]): SharedArrayBuffer {
    const count = slots.reduce((count, { index }) => Math.max(count, index + 1), 0);
    const latest = this.#claims.at(-1);
    // A slot that was withdrawn and has come back may be something else now than older tokens say.
    const fits = latest !== undefined && claimCapacity(latest) >= count &&
      !slots.some(({ index }) => isWithdrawn(latest, index));
    if (fits) return latest;
    const claims = createClaims(count);
    this.#claims.push(claims);
    return claims;
  }

  /** Keeps the slots that other isolates have claimed. */
  collect(slots: Iterable<TrampolineSlot>): void {
    if (this.#claims.length === 0) return;
    for (const slot of slots) {
      if (this.#wordsOf(slot).some((claims) => isClaimed(claims, slot.index))) this.keep(slot);
    }
  }

  /** The slots that tokens offer and no isolate has claimed. */
  offered(slots: Iterable<TrampolineSlot>): TrampolineSlot[] {
    if (this.#claims.length === 0) return [];
    return [...slots].filter((slot) => !this.#kept.has(slot) && this.#wordsOf(slot).length > 0);
  }

  /**
   * Withdraws slots that a new version lacks, or declares in another way.
   *
   * @param undo Gets what makes them available again.
   * @returns whether no isolate has claimed one since {@linkcode SharedSlots.collect}.
   */
  withdraw(slots: readonly TrampolineSlot[], undo: DisposableStack): boolean {
    for (const slot of slots) {
      for (const claims of this.#wordsOf(slot)) {
        if (isWithdrawn(claims, slot.index)) continue;
        if (!withdrawExport(claims, slot.index)) return false;
        undo.defer(() => restoreExport(claims, slot.index));
      }
    }
    return true;
  }

  #wordsOf({ index }: TrampolineSlot): SharedArrayBuffer[] {
    return this.#claims.filter((claims) => index < claimCapacity(claims));
  }
}
