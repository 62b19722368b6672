/**
 * Plans which variables of a new version stay where they are, before any of its code runs.
 */

import { LoadError } from "../../errors/load_error.ts";
import { aimAt } from "../../image/homes/aim.ts";
import { type FollowedVariable, followHomes, type HomeFate } from "../../image/homes/follow.ts";
import type { TableDifference } from "../../image/homes/compare_tables.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import { relocateTo } from "../../image/relocation/relocate.ts";
import { variablesOf } from "../../image/compatibility.ts";
import { VersionPair } from "../../image/version_pair.ts";
import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { equal } from "../../smf/equal.ts";
import type { CarryOptions } from "../carry.ts";
import { cannotTake, TAKEN } from "../carry_plan.ts";
import { typesOf, typesOfRunning } from "../image_types.ts";
import { housed, initialBytes } from "./housed.ts";
import { homeAddress, type HomePlace, type HomeTable } from "./table.ts";

/** The plan for one home of the new version. */
export interface HomePlan {
  /** Its index. */
  readonly home: number;
  fate: HomeFate["fate"];
  /** The place that it is kept at, or whose value it gets. */
  readonly place: HomePlace | undefined;
  /** Why it starts with the new version's value. */
  reason: string | undefined;
  /** Its variables and what they were in the version that tells; empty if fresh. */
  readonly variables: readonly FollowedVariable[];
  /** That version. */
  readonly from: LoadedImage | undefined;
  /** How a table of a C++ class differs, which is why it starts anew. */
  readonly difference?: TableDifference | undefined;
}

/** The plan for all homes of the new version. */
export interface KeepPlan {
  readonly table: HomeTable;
  readonly previous: LoadedImage;
  readonly candidate: PlacedImage;
  readonly places: HomePlaces;
  readonly pair: VersionPair;
  /** In the order of the homes. */
  readonly homes: readonly HomePlan[];
}

/** Whether a version's variables can be kept: it was linked with homes, or has no variables. */
export function isKeepable(image: LoadedImage): boolean {
  if ((image.homes?.length ?? 0) > 0) return true;
  for (const _ of variablesOf(image)) return false;
  return true;
}

/** @throws {LoadError} `Incompatible` if the version's variables cannot be kept. */
export function requireKeepable(image: LoadedImage, path: string, which: string): void {
  if (isKeepable(image)) return;
  throw new LoadError("Incompatible", `Cannot keep variables: ${which} was linked without homes for them`, {
    path,
    hint: 'link both versions with smf link --reloadable, or reload once with state: "carry"',
  });
}

/** Plans the homes of a candidate, none of whose code has run. */
export function planKeep(
  table: HomeTable,
  previous: LoadedImage,
  candidate: PlacedImage,
  { take = [] }: Pick<CarryOptions, "take">,
): KeepPlan {
  const before = housed(previous, typesOfRunning), after = housed(candidate, typesOf);
  const pair = new VersionPair(before, after, true);
  const places = HomePlaces.of(candidate);
  const homes = followHomes(pair, before, after).map((fate, home) =>
    planned(home, fate, previous, (index) => table.at(homeAddress(previous, index)))
  );
  // Variables that the previous version does not have may be those of an older one.
  for (const [owner, unused] of table.unusedBy(previous)) {
    const isWanted = homes.some(({ reason }) => reason === NEW);
    if (unused.length === 0 || !isWanted || owner === candidate) continue;
    const older = housed(owner, typesOfRunning);
    followHomes(new VersionPair(older, after, true), older, after).forEach((fate, home) => {
      if (homes[home].reason !== NEW) return;
      if (fate.fate === "fresh" && fate.isNew) return;
      homes[home] = planned(home, fate, owner, (index) => unused.find((place) => place.index === index));
    });
  }
  const plan: KeepPlan = { table, previous, candidate, places, pair, homes };
  checkPlaces(plan);
  takeInitial(plan, take);
  return plan;
}

/** The reason of a home whose names the version before does not have. */
export const NEW = "the old version has no variable of this name";

function planned(
  home: number,
  fate: HomeFate,
  from: LoadedImage,
  placeOf: (index: number) => HomePlace | undefined,
): HomePlan {
  if (fate.fate === "fresh") {
    const reason = fate.isNew ? NEW : fate.reason;
    const { difference } = fate;
    return { home, fate: "fresh", place: undefined, reason, variables: [], from: undefined, difference };
  }
  const place = placeOf(fate.before);
  if (place !== undefined) {
    return { home, fate: fate.fate, place, reason: undefined, variables: fate.variables, from };
  }
  const reason = "the module has lost its place: a version without it, or of another state, came between";
  return { home, fate: "fresh", place, reason, variables: [], from: undefined };
}

/** Makes a home fresh. */
export function makeFresh(home: HomePlan, reason: string): void {
  if (home.fate === "fresh") return;
  home.fate = "fresh";
  home.reason = reason;
}

/** Code may rely on the alignment of its own home; and each place is one variable's. */
function checkPlaces({ homes, places }: KeepPlan): void {
  const used = new Map<bigint, HomePlan>();
  for (const home of homes) {
    if (home.place === undefined) continue;
    const { address } = home.place;
    if (home.fate === "kept" && address % BigInt(places.homes[home.home].alignment) !== 0n) {
      makeFresh(home, "it needs a larger alignment now");
    }
    const other = used.get(address);
    if (other !== undefined) {
      for (const each of [home, other]) makeFresh(each, "two variables have the same old one");
    }
    used.set(address, home);
  }
}

/** Makes the homes fresh whose variables take the new version's initial values. */
function takeInitial({ homes, places, candidate }: KeepPlan, take: readonly string[] | "unwritten"): void {
  if (take === "unwritten") {
    for (const home of homes) {
      if (home.fate === "kept" && isUnwritten(home) && hasOtherInitialValue(home, candidate)) {
        makeFresh(home, TAKEN.unwritten);
      }
    }
    return;
  }
  const names = new Set(take), { symbols } = candidate.file;
  for (const home of homes) {
    if (places.isTable(home.home)) continue;
    for (const index of places.variables[home.home]) {
      if (names.delete(symbols.name(index))) makeFresh(home, TAKEN.byName);
    }
  }
  if (names.size > 0) throw cannotTake(names, " that could stay");
}

function isUnwritten({ place }: HomePlan): boolean {
  const { owner, index, address, size } = place!;
  const initial = initialBytes(owner, owner.plan.place(owner.homes![index].offset, 0), size);
  return initial !== undefined && equal(initial, bytesAt(address, size));
}

/** Whether a kept home's initial value differs between the files; words that are addresses in both are alike. */
export function hasOtherInitialValue({ home, from, variables }: HomePlan, candidate: LoadedImage): boolean {
  const { offset, size } = candidate.homes![home];
  // Compilers put words without names into sections of variables, such as addresses of personality routines.
  if (variables.length === 0) return false;
  const index = HomePlaces.of(from!).at(from!.file.symbols.value(variables[0].before));
  const source = from!.homes![index];
  const now = initialBytes(candidate, candidate.plan.place(offset, 0), size);
  const old = initialBytes(from!, from!.plan.place(source.offset, 0), size);
  if (now === undefined || old === undefined) return false;
  const ignore = (image: LoadedImage, bytes: Uint8Array): void => {
    const first = image.memory.address, end = first + BigInt(image.memory.size);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at + 8 <= size; at += 8) {
      const word = view.getBigUint64(at, true);
      const isOwn = word >= first && word < end || image.ownTrampolines?.has(Number(word)) === true;
      if (isOwn) view.setBigUint64(at, ~0n, true);
    }
  };
  ignore(candidate, now);
  ignore(from!, old);
  return !equal(now, old);
}

/** The addresses of the homes that are kept, by their indices. */
export function keptAddresses({ homes }: KeepPlan): Map<number, bigint> {
  const addresses = new Map<number, bigint>();
  for (const { home, fate, place } of homes) if (fate === "kept") addresses.set(home, place!.address);
  return addresses;
}

/**
 * Checks on a copy that the candidate's code can reach every home that is to be kept.
 *
 * @throws {LoadError} `Incompatible` if it cannot.
 */
export function checkReach(plan: KeepPlan, path: string): void {
  const { candidate, places } = plan;
  const aim = aimAt(candidate, places, candidate.needs, keptAddresses(plan));
  if (aim.symbols.size === 0) return;
  const { memory, file, plan: image, needs } = candidate;
  const copy = bytesAt(memory.address, image.size).slice();
  const relocations = [...aim.constants, ...aim.variables];
  try {
    relocateTo(copy, file, image, needs, memory.address, aim.symbols, { relocations, slots: aim.slots });
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    throw new LoadError(
      "Incompatible",
      `Cannot keep variables: new code cannot reach them: ${error.message}`,
      {
        path,
        hint:
          "no memory was free near the module's variables: load it anew, or compile with -fPIC -mcmodel=large",
      },
    );
  }
}
