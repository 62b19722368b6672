/**
 * Finds the variables of a version that destructors are registered for. Their
 * bytes are not their value: they own memory, locks or files, which the
 * destructor gives back when the version ends.
 *
 * | compilers register | the loader takes as destroyed |
 * |---|---|
 * | a destructor and the address of its object | the variable that contains the address |
 * | a function of their own, without an address: for arrays | the variables that the function's code refers to |
 */

import { functionsOf, variablesOf } from "../image/compatibility.ts";
import { lastUpTo } from "../smf/search.ts";
import { isArrayDestructor, isObjectInitialiser } from "../image/symbol_names.ts";
import { VariableReferences } from "../image/variable_references.ts";
import type { LoadedImage } from "../load/loader.ts";
import { bytesAt, readAddresses } from "../os/native_memory.ts";
import { Arch } from "../smf/enums.ts";
import { addressesOf, offsetOf } from "./image_data.ts";

/** Says whether a registered function destroys a part of the variable at an offset of the image. */
export type IsDestroyed = (offset: number, size: number) => boolean;

/** Finds the variables of an image whose destructors are registered now. */
export function registeredObjects(image: LoadedImage): IsDestroyed {
  const range = addressesOf(image.memory);
  const isOwn = (address: number): boolean => address >= range.first && address < range.end;
  const objects: number[] = [];
  const functions = new Set<number>();
  for (const { run, value } of image.exits?.registered() ?? []) {
    if (isOwn(value)) objects.push(value - range.first);
    else if (isOwn(run)) functions.add(run - range.first);
  }
  const destroyers = arrayDestroyers(image, functions, finaliserOffsets(image, range.first));
  if (destroyers.length > 0 && image.file.header.arch !== Arch.X86_64) return () => true;
  const arrays = destroyedArrays(image, destroyers);
  if (objects.length === 0 && arrays.size === 0) return () => false;
  const places = Float64Array.from(objects).sort();
  return (offset, size) => isAnyWithin(places, offset, offset + size - 1) || arrays.has(offset);
}

/** A function that destroys objects whose addresses only its code has. */
interface Destroyer {
  readonly start: number;
  readonly size: number;
  /** Whether it destroys one array only. */
  readonly isOfOne: boolean;
}

/**
 * Finds compilers' own functions among those that are registered, or run as
 * finalisers. A named function of the program's own leaves variables alone.
 *
 * @param registered The offsets of functions that were registered without an object.
 */
function arrayDestroyers(
  image: LoadedImage,
  registered: ReadonlySet<number>,
  finalisers: ReadonlySet<number>,
): Destroyer[] {
  const destroyers: Destroyer[] = [];
  if (registered.size === 0 && finalisers.size === 0) return destroyers;
  const { symbols } = image.file;
  const unnamed = new Set(registered);
  const parts: Destroyer[] = [];
  let hasFinaliser = false;
  for (const index of functionsOf(image.file)) {
    const start = offsetOf(image, index);
    const name = symbols.name(index);
    const destroyer = { start, size: symbols.size(index), isOfOne: registered.has(start) };
    if (isObjectInitialiser(name)) parts.push(destroyer);
    if (!registered.has(start) && !finalisers.has(start)) continue;
    unnamed.delete(start);
    if (!isArrayDestructor(name)) continue;
    destroyers.push(destroyer);
    hasFinaliser ||= finalisers.has(start);
  }
  // Without symbols of static functions nobody knows whose function it is.
  for (const start of unnamed) destroyers.push({ start, size: UNKNOWN_SIZE, isOfOne: false });
  // Such a finaliser leaves the work to the function that also makes the objects, if that was not inlined.
  return hasFinaliser ? [...destroyers, ...parts] : destroyers;
}

/** The starts of the variables that the functions' code refers to. */
function destroyedArrays(image: LoadedImage, destroyers: readonly Destroyer[]): Set<number> {
  const destroyed = new Set<number>();
  if (destroyers.length === 0) return destroyed;
  const { memory, plan: { code, data } } = image;
  const ends = new Map<number, number>(), starts = new Map<number, number>();
  for (const index of variablesOf(image)) {
    const start = offsetOf(image, index), end = start + image.file.symbols.size(index);
    starts.set(start, end);
    ends.set(end, start);
  }
  const references = new VariableReferences(image);
  for (const { start, size, isOfOne } of destroyers) {
    const length = Math.min(size, code.offset + code.length - start);
    const bytes = bytesAt(memory.address + BigInt(start), length);
    const found: number[] = [];
    references.forEach({ offset: start, bytes }, data.offset, data.offset + data.length, (_, target) => {
      found.push(target);
    });
    const places = Float64Array.from(found).sort();
    for (const [start, end] of starts) {
      if (
        isOfOne
          ? isReferredTo(places, start, end, starts.get(end), ends.get(start))
          : isAnyWithin(places, start, end)
      ) destroyed.add(start);
    }
  }
  return destroyed;
}

/**
 * Whether the references of a function that destroys one array mean a variable. Loops over arrays begin at the end, so a
 * reference where one variable ends and the next starts may mean either: it
 * means the one that has another reference in it, or both.
 *
 * @param nextEnd The end of the variable that starts where this one ends.
 * @param previousStart The start of the variable that ends where this one starts.
 */
function isReferredTo(
  places: Float64Array,
  start: number,
  end: number,
  nextEnd: number | undefined,
  previousStart: number | undefined,
): boolean {
  if (isAnyWithin(places, start + 1, end - 1)) return true;
  const atStart = isAnyWithin(places, start, start), atEnd = isAnyWithin(places, end, end);
  if (atStart && atEnd) return true;
  if (atStart) return previousStart === undefined || !isAnyWithin(places, previousStart, start - 1);
  if (atEnd) return nextEnd === undefined || !isAnyWithin(places, end + 1, nextEnd);
  return false;
}

/** The bytes that are looked at of a function whose size is not known. */
const UNKNOWN_SIZE = 512;

/** The offsets of the functions in `.fini_array`, where compilers put such functions if they may not register them. */
function finaliserOffsets({ memory, plan }: LoadedImage, base: number): Set<number> {
  const offsets = new Set<number>();
  for (const { section, offset } of plan.sections) {
    if (section.name !== ".fini_array") continue;
    const count = Math.floor(section.virtualSize / 8);
    for (const address of readAddresses(memory.address + BigInt(offset), count)) {
      offsets.add(Number(address) - base);
    }
  }
  return offsets;
}

/** Whether a sorted array has a number from `first` to `last`. */
function isAnyWithin(sorted: Float64Array, first: number, last: number): boolean {
  const at = lastUpTo(sorted, last);
  return at >= 0 && sorted[at] >= first;
}
