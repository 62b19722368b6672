/**
 * Settles a plan once the candidate's initialisers have run, and nothing is aimed yet: what they have registered
 * for the end, and what the variables hold now, may make a home fresh.
 */

import { isInside } from "../../image/arrange.ts";
import { FunctionPlaces } from "../../image/function_places.ts";
import { type NumberRange, Ranges } from "../../image/homes/ranges.ts";
import { guardedName } from "../../image/symbol_names.ts";
import { typeOf } from "../../image/typed_variables.ts";
import { bareType } from "../../types/layout.ts";
import { isRecord } from "../../types/kinds.ts";
import { typesOf } from "../image_types.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import type { Registration } from "../../load/runtime/atexit.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { HomeValues } from "./home_values.ts";
import { destructionBy, type Ends, endsOf } from "./ends.ts";
import { type HomePlan, type KeepPlan, makeFresh } from "./plan_model.ts";
import { homeAddress } from "./table.ts";

/** The work beside aiming. */
export interface Settlement {
  /** Registrations of the candidate for objects that nobody uses. */
  readonly withdrawn: readonly Registration[];
  /** The addresses of guards that say from now on that their variable is initialised. */
  readonly doneGuards: readonly bigint[];
}

/** Settles a plan. */
export function settle(plan: KeepPlan): Settlement {
  const { candidate, homes } = plan;
  const ends = endsOf(candidate);
  refuseInnerAddresses(plan);
  refuseDestroyedMoves(plan, ends);
  let withdrawn: Registration[] = [];
  let doneGuards: bigint[] = [];
  // Each may make more homes fresh, which the others must see.
  for (let count = -1; count !== countFresh(homes);) {
    count = countFresh(homes);
    withdrawn = withdrawnBy(plan, ends);
    doneGuards = followGuards(plan);
  }
  return { withdrawn, doneGuards };
}

function countFresh(homes: readonly HomePlan[]): number {
  return homes.reduce((count, { fate }) => fate === "fresh" ? count + 1 : count, 0);
}

/** Finds the candidate's registrations for kept homes. */
function withdrawnBy({ candidate, homes, places }: KeepPlan, { objects, destroyers }: Ends): Registration[] {
  if (objects.length === 0 && destroyers.length === 0) return [];
  const withdrawn: Registration[] = [];
  const base = Number(candidate.memory.address);
  const kept = new Ranges(
    homes.filter(({ fate }) => fate === "kept").map(({ home }) => {
      const first = base + places.place(home);
      return { first, end: first + places.homes[home].size };
    }),
  );
  for (const registration of objects) {
    if (kept.find(registration.value) !== undefined) withdrawn.push(registration);
  }
  const mayBeObject = objectQuestion(candidate, places);
  for (const { homes: used, registration } of destroyers) {
    const objects = [...used].filter((home) => mayBeObject(home));
    const meant = objects.length === 0 ? [...used] : objects;
    if (!meant.some((home) => homes[home].fate === "kept")) continue;
    if (meant.length === 1 && registration !== undefined) withdrawn.push(registration);
    else for (const home of meant) makeFresh(homes[home], DESTROYED_BY_CODE);
  }
  return withdrawn;
}

/** Says whether a home may hold an object that has a destructor: numbers and pointers have none. */
function objectQuestion(candidate: PlacedImage, places: HomePlaces): (home: number) => boolean {
  const types = typesOf(candidate), { file } = candidate;
  return (home) =>
    places.variables[home].length === 0 || places.variables[home].some((index) => {
      let id = types === undefined ? undefined : typeOf({ file, types }, index);
      for (; id !== undefined;) {
        const type = types!.types[bareType(types!.types, id)];
        if (type?.kind !== "array") return type === undefined || isRecord(type);
        id = type.of;
      }
      return guardedName(file.symbols.name(index)) === undefined;
    });
}

const DESTROYED_BY_CODE = "a compiler's function refers to it that destroys an array, perhaps this one";

/** A value that moves must not be destroyed twice, nor where it was. */
function refuseDestroyedMoves({ table, candidate, homes, places }: KeepPlan, ends: Ends): void {
  const moved = homes.filter(({ fate }) => fate === "moved");
  if (moved.length === 0) return;
  const base = Number(candidate.memory.address);
  const isDestroyed = destructionBy(table.versions as readonly PlacedImage[]);
  for (const home of moved) {
    const start = base + places.place(home.home), end = start + places.homes[home.home].size;
    const isOwn = ends.objects.some(({ value }) => value >= start && value < end) ||
      ends.destroyers.some(({ homes }) => homes.has(home.home));
    const { address, size } = home.place!;
    if (isOwn || isDestroyed(address, size)) {
      makeFresh(
        home,
        "its type has changed, and its destructor is registered: only one version may own what it holds",
      );
    }
  }
}

/** Values that lead into the middle of an old function, such as addresses of labels, mean nothing to new code. */
function refuseInnerAddresses({ table, homes, places }: KeepPlan): void {
  // Nearly all addresses are of variables.
  let codes: Ranges<NumberRange & { readonly image: LoadedImage }> | undefined;
  const values = new HomeValues();
  for (const home of homes) {
    if (home.place === undefined || home.fate === "fresh" || places.isTable(home.home)) continue;
    const { memory, plan: { data } } = home.place.owner, base = Number(memory.address);
    values.forEachAddress(home.place, table.codes, (value) => {
      if (isInside(data, value - base)) return;
      const version = (codes ??= codesOf(table.versions)).find(value);
      if (version === undefined) return;
      const { image } = version, offset = value - Number(image.memory.address);
      const around = FunctionPlaces.of(image).around(image, offset);
      if (around === undefined) return;
      makeFresh(home, `it holds an address inside function '${image.file.symbols.name(around)}'`);
    });
  }
}

function codesOf(versions: readonly LoadedImage[]): Ranges<NumberRange & { readonly image: LoadedImage }> {
  return new Ranges(versions.map((image) => {
    const first = Number(image.memory.address) + image.plan.code.offset;
    return { first, end: first + image.plan.code.length, image };
  }));
}

/**
 * Variables in functions and the guards of their first initialisation go together.
 *
 * @returns the new guards of variables that are kept and need no initialisation.
 */
function followGuards({ candidate, previous, homes, places }: KeepPlan): bigint[] {
  const done: bigint[] = [], { guards } = places.shape;
  const hadGuards = homes.some(({ from }) => from !== undefined && from !== previous) ||
    HomePlaces.of(previous).shape.guards.size > 0;
  if (guards.size === 0 && !hadGuards) return done;
  const { symbols } = candidate.file;
  const homeOf = (index: number): HomePlan => homes[places.at(symbols.value(index))];
  const guardBefore = (image: LoadedImage, object: number): boolean | undefined => {
    const guard = HomePlaces.of(image).shape.guards.get(object);
    return guard === undefined ? undefined : readByte(addressOf(image, guard)) !== 0;
  };
  for (const home of homes) {
    if (home.fate === "fresh") continue;
    for (const { index, name, before } of home.variables) {
      const guard = guards.get(index);
      const from = home.from ?? previous;
      const wasDone = guardBefore(from, before);
      const guardHome = guard === undefined ? undefined : homeOf(guard);
      // A kept guard says of its variable what is so.
      if (guardHome?.fate === "kept") continue;
      if (wasDone === false) makeFresh(home, `'${name}' was not initialised yet`);
      else if (guard !== undefined) done.push(addressOf(candidate, guard));
    }
  }
  for (const [object, guard] of guards) {
    if (homeOf(object).fate === "fresh") makeFresh(homeOf(guard), "the variable that it guards is fresh");
  }
  return done;
}

function addressOf(image: LoadedImage, symbol: number): bigint {
  const value = image.file.symbols.value(symbol);
  const places = HomePlaces.of(image), home = places.at(value);
  return homeAddress(image, home) + BigInt(value - places.homes[home].offset);
}

function readByte(address: bigint): number {
  return bytesAt(address, 1)[0];
}
