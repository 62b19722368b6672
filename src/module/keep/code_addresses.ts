/**
 * Finds out whether anybody can have an address of a version's code, other than on a stack: all others are to have
 * addresses of entries, which lead to the version that serves.
 */

import { isInside } from "../../image/arrange.ts";
import { forEachReference } from "../../image/code_references.ts";
import { FunctionPlaces } from "../../image/function_places.ts";
import type { PlacedImage } from "../../load/loader.ts";
import { endOffsets, startArrays, startCount } from "../../load/start.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { Arch } from "../../smf/enums.ts";
import { SwitchedFunctions } from "../function_keys.ts";
import { codeOf, forEachAddress, offsetOf } from "../image_data.ts";
import { OwnAddresses } from "../own_addresses.ts";

/** Functions of the C library that keep a function of their caller's for the end of a thread or of the process. */
const KEEPERS = /^(?:pthread_key_create|tss_create|on_exit|(?:__cxa_)?at_quick_exit)(?:@.*)?$/;

/** Whether a version's code ran before the words in it had the addresses of entries. */
export interface EarlyCode {
  /** Whether `migrate` or `verify` called it. */
  readonly wasCalled: boolean;
  /** Whether it is a candidate: its initialisers run before it serves. */
  readonly wasCandidate: boolean;
}

/**
 * Says why the code of a version must stay once it has been replaced: who may have an address of it. Undefined if
 * nobody can.
 */
export function whyCodeStays(image: PlacedImage, early: EarlyCode): string | undefined {
  const { file: { header }, supersededEnds, imports } = image;
  if (image.entries === undefined) {
    return "it was linked without --hot, so that addresses of functions are those of its code";
  }
  if (header.arch !== Arch.X86_64) return "nobody knows the addresses that code for this processor makes";
  const keeper = imports.find(({ name }) => KEEPERS.test(name))?.name;
  if (keeper !== undefined) return `it imports '${keeper}', which keeps addresses of its code`;
  if (endOffsets(image).some((offset) => supersededEnds?.has(offset) !== true)) {
    return "it has functions that run at the module's end";
  }
  if (hasRegistered(image)) return "it has registered functions for the end of the module";
  const ranEarly = early.wasCalled || (early.wasCandidate && startCount(image) > 0);
  if (ranEarly && new OwnAddresses(image).symbols.length > 0) {
    return early.wasCalled
      ? "`migrate` or `verify` ran it while its words had addresses of its code"
      : "its initialisers ran while its words had addresses of its code";
  }
  return holdsAddress(image) ? "its constants or variables hold addresses of its code" : takenByCode(image);
}

/** Whether a version has registered functions for its end. */
export function hasRegistered({ exits }: PlacedImage): boolean {
  return (exits?.registered().length ?? 0) > 0;
}

/** Whether a word of constants, of the GOT or of variables is an address of the version's own code, now or at first. */
function holdsAddress(image: PlacedImage): boolean {
  const { memory, plan: { code, rodata, data, gotRegion }, initialData } = image;
  const first = Number(memory.address) + code.offset, range = { first, end: first + code.length };
  const arrays = startArrays(image.plan);
  let holds = false;
  const look = (bytes: Uint8Array, place: number): void =>
    forEachAddress(bytes, place, range, (_, at) => {
      // They ran, or were looked at above.
      holds ||= !arrays.some(({ start, end }) => place + at >= start && place + at < end);
    });
  for (const { offset, length } of new Set([rodata, gotRegion, data])) {
    if (length > 0) look(bytesAt(memory.address + BigInt(offset), length), offset);
  }
  if (initialData !== undefined) look(initialData, data.offset);
  return holds;
}

/** Finds a function without an entry whose address code takes. Labels inside a function are its own. */
function takenByCode(image: PlacedImage): string | undefined {
  // Most code has no such reference.
  let switched: SwitchedFunctions | undefined;
  const { plan: { code }, file: { symbols } } = image;
  let taken: string | undefined;
  for (const piece of codeOf(image)) {
    forEachReference(piece, code.offset, code.offset + code.length - 1, (_, target) => {
      if (taken !== undefined || !isInside(code, target)) return;
      const functions = FunctionPlaces.of(image), index = functions.at(target);
      if (index === undefined) {
        if (functions.around(image, target) === undefined) {
          taken = "its code takes the address of other code of it";
        }
      } else if (
        !(switched ??= new SwitchedFunctions(image)).has(index) && offsetOf(image, index) === target
      ) {
        taken = `its code takes the address of '${symbols.name(index)}', which has no entry`;
      }
    });
  }
  return taken;
}
