/**
 * Finds what becomes of the addresses in a variable when it is carried.
 *
 * | a word that holds an address in the old version | gets |
 * |---|---|
 * | of something that the new version has, too | its new address |
 * | of anything else, and still has its initial value | the initial value in the new file, if that is an address |
 * | inside a function | nothing: the variable starts anew, since the function's code may differ |
 * | of anything else | nothing: it stays, and keeps the old version loaded |
 */

import type { VersionPair } from "../image/version_pair.ts";
import { AddressMap } from "./address_map.ts";
import { type CarryPlan, copyValue, type WordAddress } from "./carry_plan.ts";
import { type AddressRange, forEachAddress, type ImageData, offsetOf, readAddress } from "./image_data.ts";
import { equal } from "../smf/equal.ts";
import { movedTo } from "../types/steps.ts";

/** Examines the variables of two versions, before anything is copied. */
export class CarriedWords {
  readonly #pair: VersionPair;
  readonly #previous: ImageData;
  readonly #candidate: ImageData;
  readonly #oldRange: AddressRange;
  readonly #newRange: AddressRange;
  readonly #map: AddressMap;

  constructor(pair: VersionPair, previous: ImageData, candidate: ImageData) {
    this.#pair = pair;
    this.#previous = previous;
    this.#candidate = candidate;
    this.#oldRange = previous.addresses;
    this.#newRange = candidate.addresses;
    this.#map = new AddressMap(pair, candidate.addresses.first);
  }

  /** Finds the addresses in a variable that matches, and whether its initial value has changed. */
  examine(plan: CarryPlan): void {
    const from = offsetOf(this.#pair.previous, plan.before!);
    let addresses: WordAddress[] | undefined, oldPointers: WordAddress[] | undefined;
    forEachAddress(this.#previous.at(from, plan.sizeBefore), from, this.#oldRange, (value, before) => {
      const offset = newOffset(plan, before);
      if (offset === undefined) return;
      const at = value - this.#oldRange.first;
      const address = this.#map.translate(at, plan.before, before) ??
        this.#newInitial(plan, before, offset, value);
      if (address !== undefined) {
        (addresses ??= []).push({ offset, before, value: address });
        return;
      }
      const around = this.#map.functionAround(at);
      if (around === undefined) (oldPointers ??= []).push({ offset, before, value });
      else {plan.reason ??=
          `its word at ${before} is an address inside function '${around}', which may differ now`;}
    });
    if (addresses !== undefined) plan.addresses = addresses;
    if (oldPointers !== undefined) plan.oldPointers = oldPointers;
    plan.hasOtherInitialValue = this.#hasOtherInitialValue(plan);
  }

  /** Whether a variable that matches still has its initial value, and the new version has another. */
  isUnwrittenAndChanged(plan: CarryPlan): boolean {
    const from = offsetOf(this.#pair.previous, plan.before!);
    const initial = this.#previous.initialAt(from, plan.sizeBefore);
    if (initial === undefined || !equal(initial, this.#previous.at(from, plan.sizeBefore))) return false;
    return this.#hasOtherInitialValue(plan);
  }

  /** The initial value of a word in the new version, if the old one was never written and both are addresses. */
  #newInitial(plan: CarryPlan, before: number, offset: number, value: number): number | undefined {
    const [old, now] = this.#initials(plan);
    if (old === undefined || now === undefined || readAddress(old, before) !== value) return undefined;
    const initial = readAddress(now, offset);
    return isIn(this.#newRange, initial) ? initial : undefined;
  }

  #initials({ before, index, size, sizeBefore }: CarryPlan): (Uint8Array | undefined)[] {
    return [
      this.#previous.initialAt(offsetOf(this.#pair.previous, before!), sizeBefore),
      this.#candidate.initialAt(offsetOf(this.#pair.candidate, index), size),
    ];
  }

  /** Compares the initial values; addresses of the same thing are equal, and so are those of things without names. */
  #hasOtherInitialValue(plan: CarryPlan): boolean {
    if (this.#pair.isIdentical) return false;
    const [old, now] = this.#initials(plan);
    if (old === undefined || now === undefined) return false;
    const isConverted = plan.conversion !== undefined;
    if (!isConverted && equal(old, now)) return false;
    // The new version's initial value, with the old one's in place of what is carried.
    const carried = now.slice();
    copyValue(plan, old, carried);
    forEachAddress(old, offsetOf(this.#pair.previous, plan.before!), this.#oldRange, (value, before) => {
      const offset = newOffset(plan, before);
      if (offset === undefined || !isIn(this.#newRange, readAddress(now, offset))) return;
      const translated = this.#map.translate(value - this.#oldRange.first, plan.before, before);
      if (translated !== undefined && translated !== readAddress(now, offset)) return;
      carried.set(now.subarray(offset, offset + 8), offset);
    });
    return !equal(carried, now);
  }
}

/** Where a word of the old version's variable is in the new one; undefined if it is not carried. */
function newOffset({ conversion }: CarryPlan, before: number): number | undefined {
  return conversion === undefined ? before : movedTo(conversion.steps, before, 8);
}

function isIn({ first, end }: AddressRange, address: number): boolean {
  return address >= first && address < end;
}
