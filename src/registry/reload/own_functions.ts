/**
 * The canonical addresses of a module's functions in the module itself: those of
 * the same trampolines that its importers are linked to.
 */

import { CallSlots, type PreparedCalls } from "../../module/call_slots.ts";
import { OwnAddresses, type PreparedAddresses } from "../../module/own_addresses.ts";
import type { ModuleVersion } from "../../module/version.ts";
import type { MemoryAllocator } from "../../os/memory/allocator.ts";
import { findByKey } from "./exports.ts";
import type { TrampolineSlot } from "./slot_names.ts";
import type { SlotTargets } from "./slot_targets.ts";
import type { TrampolineSlots } from "./trampoline_slots.ts";

/** Gives a new module, none of whose initialisers have run, the canonical addresses of its functions. */
export function takeOwnAddresses(
  version: ModuleVersion,
  allocator: MemoryAllocator,
  slots: TrampolineSlots,
  slotOf: (key: string) => TrampolineSlot,
): void {
  const own = new OwnAddresses(version.image);
  const addresses = takeTrampolines(own, version, slots, slotOf);
  const canonical = new Float64Array(addresses.length === 0 ? 0 : version.image.file.symbols.length);
  own.symbols.forEach((symbol, index) => canonical[symbol] = addresses[index]);
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
  const prepared = calls.prepare(allocator, takeTrampolines(calls, current, slots, slotOf));
  undo.defer(() => prepared.release());
  return prepared;
}

/** Functions of a version that a reload switches. */
interface Switched {
  readonly symbols: ArrayLike<number>;
  key(symbol: number): string;
}

/** The addresses of functions' trampolines, in the order of their symbols; the functions count as taken from now on. */
function takeTrampolines(
  functions: Switched,
  version: ModuleVersion,
  slots: TrampolineSlots,
  slotOf: (key: string) => TrampolineSlot,
): Float64Array {
  const { symbols } = functions, addresses = new Float64Array(symbols.length);
  if (symbols.length === 0) return addresses;
  const known = slots.bySymbol(version);
  slots.enterFunctions(version, symbols, known);
  for (let index = 0; index < symbols.length; index++) {
    const symbol = symbols[index], at = known[symbol];
    // A quiet slot is taken.
    const slot = at < 0 ? slotOf(functions.key(symbol)) : slots.awakeAt(at);
    if (slot !== undefined) slot.isTaken = true;
    addresses[index] = slots.addressAsNumber(version, slot?.index ?? at);
  }
  return addresses;
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
    for (const symbol of this.#own.symbols) {
      const key = this.#own.key(symbol);
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
  prepare(current: ModuleVersion, allocator: MemoryAllocator, targets: SlotTargets): PreparedAddresses {
    const candidate = this.#candidate, slots = this.#slots;
    const canonical = this.#own.isCanonical
      ? slots.canonicalOf(current, candidate, targets)
      : new Float64Array();
    const patch = this.#own.prepare(allocator, canonical, "whole");
    return {
      canonical: patch.canonical,
      commit: () => {
        patch.commit();
        for (const symbol of this.#own.symbols) {
          const slot = canonical[symbol] > 0 ? slots.get(this.#own.key(symbol)) : undefined;
          if (slot !== undefined) slot.isTaken = true;
        }
      },
      release: () => patch.release(),
    };
  }
}
