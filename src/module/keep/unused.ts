/**
 * What a candidate has that nobody uses, because the variables of earlier versions stay; and the variables that
 * have no home, and so start with each version.
 */

import { variablesOf } from "../../image/compatibility.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import type { FreshVariable } from "../../image/typed_variables.ts";
import type { PlacedImage } from "../../load/loader.ts";
import { SymbolType } from "../../smf/enums.ts";
import { equal } from "../../smf/equal.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { initialBytes } from "./housed.ts";

/** The objects that initialisers of a new version made for variables that stay where they are. */
export interface UnusedObjects {
  /** The variables of the new version whose own memory its initialisers wrote to, and that nobody uses. */
  readonly names: readonly string[];
  /** The bytes of all homes of the new version that nobody uses. */
  readonly bytes: number;
  /** The bytes of memory that the new version added to the process, which stays until the module ends. */
  readonly addedBytes: number;
}

/**
 * Finds what the initialisers of a candidate made that nobody uses.
 *
 * @param kept The homes of the candidate that are kept elsewhere.
 */
export function unusedObjects(candidate: PlacedImage, kept: readonly number[]): UnusedObjects {
  const { homes, plan, memory, file: { symbols } } = candidate, places = HomePlaces.of(candidate);
  const names: string[] = [];
  let bytes = 0;
  for (const home of kept) {
    const { offset, size } = homes[home];
    bytes += size;
    const place = plan.place(offset, 0);
    const initial = initialBytes(candidate, place, size);
    const now = bytesAt(memory.address + BigInt(place), size);
    if (initial === undefined || equal(initial, now)) continue;
    for (const index of places.variables[home]) names.push(symbols.name(index));
  }
  return { names, bytes, addedBytes: memory.size };
}

/** Finds the variables of a candidate that have no home. */
export function homelessVariables(candidate: PlacedImage): FreshVariable[] {
  const { symbols } = candidate.file, places = HomePlaces.of(candidate);
  const homeless: FreshVariable[] = [];
  for (const index of variablesOf(candidate)) {
    if (places.at(symbols.value(index)) >= 0) continue;
    homeless.push({ name: symbols.name(index), reason: "it is in a section that cannot stay" });
  }
  const known = new Set(homeless.map(({ name }) => name));
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.type(index) !== SymbolType.Data || !symbols.isDefined(index) || symbols.size(index) === 0) {
      continue;
    }
    const name = symbols.name(index);
    if (!candidate.plan.isThreadLocal(symbols.value(index)) || known.has(name)) continue;
    known.add(name);
    homeless.push({ name, reason: "it is thread-local" });
  }
  return homeless;
}
