/**
 * Plans which variables of a new version stay where they are, before any of its code runs.
 */

import { LoadError } from "../../errors/load_error.ts";
import { NEW_VARIABLE } from "../../image/version_pair.ts";
import { type Aim, aimAt, type AimedHomes, surelyReaches } from "../../image/homes/aim.ts";
import { followHomes, type HomeFate } from "../../image/homes/follow.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import { relocatorTo } from "../../image/relocation/relocate.ts";
import { variablesOf } from "../../image/compatibility.ts";
import { VersionPair } from "../../image/version_pair.ts";
import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { equal } from "../../smf/equal.ts";
import type { CarryOptions } from "../carry.ts";
import { cannotTake, TAKEN } from "../carry_plan.ts";
import { typesOf, typesOfRunning } from "../image_types.ts";
import { housed, initialBytes } from "./housed.ts";
import { InitialValues } from "./initial_values.ts";
import { countKept, type HomePlan, type KeepPlan, makeFresh } from "./plan_model.ts";
import type { HomePlace, HomeTable } from "./table.ts";
import { planThreadLocals } from "./thread_locals.ts";

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
  const inPrevious = (index: number): HomePlace | undefined => table.placeOf(previous, index);
  const homes = followHomes(pair, before, after).map((fate, home) =>
    planned(home, fate, previous, inPrevious)
  );
  // Variables that the previous version does not have may be those of an older one.
  const isWanted = (): boolean => homes.some(({ reason }) => reason === NEW_VARIABLE);
  for (const [owner, unused] of isWanted() ? table.unusedBy(previous) : []) {
    if (unused.length === 0 || !isWanted() || owner === candidate) continue;
    const older = housed(owner, typesOfRunning);
    followHomes(new VersionPair(older, after, true), older, after).forEach((fate, home) => {
      if (homes[home].reason !== NEW_VARIABLE) return;
      if (fate.fate === "fresh" && fate.isNew) return;
      homes[home] = planned(home, fate, owner, (index) => unused.find((place) => place.index === index));
    });
  }
  const threadLocals = planThreadLocals(pair, before, after, previous);
  const plan: KeepPlan = { table, previous, candidate, places, pair, homes, threadLocals };
  checkPlaces(plan);
  takeInitial(plan, take);
  return plan;
}

function planned(
  home: number,
  fate: HomeFate,
  from: LoadedImage,
  placeOf: (index: number) => HomePlace | undefined,
): HomePlan {
  if (fate.fate === "fresh") {
    const reason = fate.isNew ? NEW_VARIABLE : fate.reason;
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

/** Code may rely on the alignment of its own home; and each place is one variable's. */
function checkPlaces({ homes, places }: KeepPlan): void {
  let last = 0, isAscending = true;
  for (const home of homes) {
    if (home.place === undefined) continue;
    const { start } = home.place;
    isAscending &&= start > last;
    last = start;
    if (home.fate === "kept" && start % places.homes[home.home].alignment !== 0) {
      makeFresh(home, "it needs a larger alignment now");
    }
  }
  if (isAscending) return;
  const used = new Map<HomePlace, HomePlan>();
  for (const home of homes) {
    if (home.place === undefined) continue;
    const other = used.get(home.place);
    if (other !== undefined) {
      for (const each of [home, other]) makeFresh(each, "two variables have the same old one");
    }
    used.set(home.place, home);
  }
}

/** Makes the homes fresh whose variables take the new version's initial values. */
function takeInitial({ homes, places, candidate }: KeepPlan, take: readonly string[] | "unwritten"): void {
  if (take === "unwritten") {
    const initial = new InitialValues(candidate);
    for (const home of homes) {
      if (home.fate === "kept" && isUnwritten(home) && initial.differs(home)) {
        makeFresh(home, TAKEN.unwritten);
      }
    }
    return;
  }
  if (take.length === 0) return;
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

/** The addresses of the homes that are kept, by their indices. */
function keptAddresses({ homes }: KeepPlan): AimedHomes {
  const addresses = new Float64Array(homes.length);
  for (const { home, fate, place } of homes) if (fate === "kept") addresses[home] = place!.start;
  return addresses;
}

/** The references to the homes that are kept, and the places of these. */
export interface PlannedAim {
  readonly aim: Aim;
  readonly addresses: AimedHomes;
  readonly count: number;
}

const aims = new WeakMap<KeepPlan, PlannedAim>();

/** Finds what leads to the homes that are kept; homes only ever become fresh, so the last result mostly holds. */
export function aimOf(plan: KeepPlan): PlannedAim {
  const { candidate, places, homes } = plan, known = aims.get(plan);
  const count = countKept(homes);
  if (known?.count === count) return known;
  const addresses = keptAddresses(plan);
  const planned = { count, addresses, aim: aimAt(candidate, places, candidate.needs, addresses) };
  aims.set(plan, planned);
  return planned;
}

/**
 * Checks on a copy that the candidate's code can reach every home that is to be kept.
 *
 * @throws {LoadError} `Incompatible` if it cannot.
 */
export function checkReach(plan: KeepPlan, path: string): void {
  const { candidate } = plan;
  const { aim } = aimOf(plan), { memory, file, plan: image, needs } = candidate;
  if (aim.symbols.length === 0 || surelyReaches(aim, Number(memory.address), image.size)) return;
  const copy = bytesAt(memory.address, image.size).slice();
  try {
    relocatorTo(copy, file, image, needs, memory.address, aim)({
      relocations: [...aim.constants, ...aim.variables],
      slots: aim.slots,
    });
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
