/**
 * Finds what the versions of a module do at its end. Each object is destroyed once, by the version that registered its
 * destructor; a function for the end without an object runs once, that of the version that serves.
 *
 * | registered, or in `.fini_array` | treatment |
 * |---|---|
 * | a destructor and an object in a home that is kept: the new version's own, which nobody uses | is withdrawn |
 * | a compiler's function that destroys one array, which is kept | the same |
 * | a compiler's function that refers to several homes | all of them start anew: nobody knows which of them it destroys |
 * | a function of the program's own, which the new version has under the same name | runs in the version that serves |
 */

import { GOT_SLOT_SIZE } from "../../image/arrange.ts";
import { forEachReference } from "../../image/code_references.ts";
import { FunctionPlaces } from "../../image/function_places.ts";
import { isArrayDestructor, isObjectInitialiser } from "../../image/symbol_names.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import type { PlacedImage } from "../../load/loader.ts";
import type { Registration } from "../../load/runtime/atexit.ts";
import { endOffsets } from "../../load/start.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { Arch } from "../../smf/enums.ts";
import { addressesOf, offsetOf } from "../image_data.ts";
import { homeAddress } from "./table.ts";

/** A compiler's function that destroys objects whose addresses only its code has. */
export interface Destroyer {
  /** The homes that its code refers to. */
  readonly homes: ReadonlySet<number>;
  /** Its registration; undefined if it is in `.fini_array`. */
  readonly registration: Registration | undefined;
}

/** A function of the program's own that runs at the end. */
export interface EndFunction {
  readonly name: string;
  /** Its offset in the range. */
  readonly offset: number;
  /** Undefined if it is in `.fini_array`. */
  readonly registration: Registration | undefined;
}

/** The work of a version at its end. */
export interface Ends {
  /** Destructors with the addresses of their objects, wherever these are. */
  readonly objects: readonly Registration[];
  readonly destroyers: readonly Destroyer[];
  readonly functions: readonly EndFunction[];
}

/** Bytes that are looked at of a function whose size is not known. */
const UNKNOWN_SIZE = 512;

/** Finds what an image would do at its end now. */
export function endsOf(image: PlacedImage): Ends {
  // Code goes only if it has nothing to do at the end.
  if (image.hasLeftCode) return { objects: [], destroyers: [], functions: [] };
  const registered = image.exits?.registered() ?? [], offsets = endOffsets(image);
  if (registered.length === 0 && offsets.length === 0) return { objects: [], destroyers: [], functions: [] };
  const range = addressesOf(image.memory);
  const functions = FunctionPlaces.of(image), { symbols } = image.file;
  const objects: Registration[] = [], destroyers: Destroyer[] = [], own: EndFunction[] = [];
  const homesOf = homesUsedBy(image);
  const isNamed = (index: number | undefined, start: string): boolean =>
    index !== undefined && symbols.name(index).startsWith(start);
  const add = (offset: number, registration: Registration | undefined): void => {
    const known = functions.at(offset), name = known === undefined ? undefined : symbols.name(known);
    if (name !== undefined && !isArrayDestructor(name)) {
      own.push({ name, offset, registration });
      return;
    }
    const size = known === undefined ? UNKNOWN_SIZE : symbols.size(known);
    const homes = homesOf(offset, size);
    // Such a finaliser may leave the work to the function that also makes the objects.
    if (registration === undefined) {
      for (const index of functions.all) {
        if (!isObjectInitialiser(symbols.name(index))) continue;
        for (const home of homesOf(offsetOf(image, index), symbols.size(index))) homes.add(home);
      }
    }
    destroyers.push({ homes, registration });
  };
  for (const registration of registered) {
    const { run, value } = registration;
    if (run < range.first || run >= range.end) {
      if (value !== 0) objects.push(registration);
    } else if (value !== 0 && !isNamed(functions.at(run - range.first), "__tcf_")) {
      objects.push(registration);
    } else add(run - range.first, registration);
  }
  for (const offset of offsets) add(offset, undefined);
  return { objects, destroyers, functions: own };
}

/**
 * Returns a function that finds the homes to which a function refers: directly, or through a word that holds their
 * address, such as a GOT slot. On other processors than x86-64 code reaches such words through registers: then all
 * homes.
 */
function homesUsedBy(image: PlacedImage): (start: number, size: number) => Set<number> {
  const { file: { relocations, header }, plan, memory, needs } = image, places = HomePlaces.of(image);
  // Tables of classes are constants, which no function destroys.
  const isVariable = (home: number): boolean => home >= 0 && !places.isTable(home);
  if (header.arch !== Arch.X86_64) return () => new Set([...places.homes.keys()].filter(isVariable));
  const find = () => {
    const relocated: (readonly [at: number, home: number])[] = [];
    for (let index = 0; index < relocations.length; index++) {
      const home = places.ofSymbol(relocations.symbol(index));
      if (isVariable(home)) relocated.push([plan.place(relocations.offset(index), 0), home]);
    }
    const words = new Map(relocated);
    for (let slot = 0; slot < needs.firstUse.length; slot++) {
      const home = places.ofSymbol(relocations.symbol(needs.firstUse[slot]));
      if (isVariable(home)) words.set(plan.got + GOT_SLOT_SIZE * slot, home);
    }
    return { relocated, words };
  };
  let found: ReturnType<typeof find> | undefined;
  return (start, size) => {
    const { relocated, words } = found ??= find(), homes = new Set<number>();
    for (const [at, home] of relocated) if (at >= start && at < start + size) homes.add(home);
    const length = Math.min(size, plan.code.offset + plan.code.length - start);
    const bytes = bytesAt(memory.address + BigInt(start), length);
    forEachReference({ offset: start, bytes }, 0, plan.size, (_, target) => {
      const home = words.get(target);
      if (home !== undefined) homes.add(home);
    });
    return homes;
  };
}

/** Returns the question whether any of some versions destroys a part of some memory at its end. */
export function destructionBy(
  versions: readonly PlacedImage[],
): (address: bigint, size: number) => boolean {
  const all = versions.map((version) => ({ version, ends: endsOf(version) }));
  return (address, size) => {
    const first = Number(address), end = first + size;
    return all.some(({ version, ends: { objects, destroyers } }) => {
      if (objects.some(({ value }) => value >= first && value < end)) return true;
      return destroyers.some(({ homes }) =>
        [...homes].some((home) => {
          const at = Number(homeAddress(version, home));
          return at < end && at + version.homes[home].size > first;
        })
      );
    });
  };
}

/** A change of what versions do at their ends, ready to be made. */
export interface PreparedEnds {
  /** Makes it. Cannot fail. */
  commit(): void;
}

/** Gets ready to leave the program's own functions for the end to the version that takes over, where it has them. */
export function prepareEnds(previous: PlacedImage, candidate: PlacedImage): PreparedEnds {
  const now = endsOf(candidate).functions, names = new Set(now.map(({ name }) => name));
  const replaced = endsOf(previous).functions.filter(({ name }) => names.has(name));
  const registrationsOf = (functions: readonly EndFunction[]): Registration[] =>
    functions.flatMap(({ registration }) => registration === undefined ? [] : [registration]);
  const offsets = replaced.filter(({ registration }) => registration === undefined).map(({ offset }) =>
    offset
  );
  return {
    commit() {
      candidate.exits?.setWithdrawn(registrationsOf(now), false);
      candidate.supersededEnds = undefined;
      previous.exits?.setWithdrawn(registrationsOf(replaced), true);
      previous.supersededEnds = new Set([...previous.supersededEnds ?? [], ...offsets]);
    },
  };
}
