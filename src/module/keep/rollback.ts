/**
 * Goes back to an earlier version with the variables as they are: its code leads to their places already. A
 * variable that moved because its type changed is converted back.
 */

import { LoadError } from "../../errors/load_error.ts";
import { followHomes } from "../../image/homes/follow.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import { VersionPair } from "../../image/version_pair.ts";
import type { LoadedImage, PlacedImage } from "../../load/loader.ts";
import { bytesAt } from "../../os/native_memory.ts";
import { typesOf, typesOfRunning } from "../image_types.ts";
import { destructionBy } from "./ends.ts";
import { housed } from "./housed.ts";
import { type KeptCandidate, move } from "./keep.ts";
import type { HomePlan } from "./plan_model.ts";
import { reportOf } from "./report.ts";
import { freshHomes, homeAddress, type HomeTable } from "./table.ts";
import { rolledBackThreadLocals } from "./thread_locals.ts";

/**
 * Gives the variables to an earlier version.
 *
 * @throws {LoadError} `Incompatible` if its code leads elsewhere than to where a variable is, or a value cannot be
 * converted back.
 */
export function rollBackState(
  table: HomeTable,
  previous: LoadedImage,
  candidate: PlacedImage,
): KeptCandidate {
  const before = housed(previous, typesOfRunning), after = housed(candidate, typesOf);
  const pair = new VersionPair(before, after, true);
  const places = HomePlaces.of(candidate);
  const addresses = places.homes.map((_, home) => homeAddress(candidate, home));
  const fates = followHomes(pair, before, after);
  const nameOf = (home: number): string => {
    const [first] = places.variables[home];
    return first === undefined ? "" : candidate.file.symbols.name(first);
  };
  let isDestroyed: ReturnType<typeof destructionBy> | undefined;
  const homes = fates.map((fate, home): HomePlan => {
    const own = table.at(addresses[home]);
    if (own !== undefined) {
      const variables = fate.fate === "fresh" ? unchanged(candidate, places, home) : fate.variables;
      const from = fate.fate === "fresh" ? candidate : previous;
      return { home, fate: "kept", place: own, reason: undefined, variables, from };
    }
    // A variable that could not be kept on the way here cannot be kept on the way back.
    const startedFresh = fate.fate === "fresh" ? undefined : freshHomes.get(previous)?.get(fate.before);
    if (fate.fate === "fresh" || startedFresh !== undefined) {
      const why = fate.fate === "fresh" ? fate.reason : startedFresh;
      const reason = `${why}; it has the value that it had in that version`;
      return { home, fate: "fresh", place: undefined, reason, variables: [], from: undefined };
    }
    const place = table.at(homeAddress(previous, fate.before));
    if (fate.fate === "kept" || place === undefined) throw elsewhere(nameOf(home));
    isDestroyed ??= destructionBy(table.versions as readonly PlacedImage[]);
    if (isDestroyed(place.address, place.size)) throw elsewhere(nameOf(home));
    return { home, fate: "moved", place, reason: undefined, variables: fate.variables, from: previous };
  });
  const moved = homes.filter(({ fate }) => fate === "moved");
  const saved = moved.map(({ home }) => {
    const bytes = bytesAt(addresses[home], places.homes[home].size);
    return { bytes, values: bytes.slice() };
  });
  for (const home of moved) move(home, candidate);
  const threadLocals = rolledBackThreadLocals(previous, candidate);
  const plan = { table, previous, candidate, places, pair, homes, threadLocals };
  return {
    threads: [],
    report: { ...reportOf(plan, [], { threads: 0, sharedBytes: 0 }), unused: undefined },
    table: table.with(candidate),
    undo() {
      for (const { bytes, values } of saved) bytes.set(values);
      return true;
    },
  };
}

/** The variables of a home that the version has always had there. */
function unchanged(image: LoadedImage, places: HomePlaces, home: number): HomePlan["variables"] {
  return places.variables[home].map((index) => ({
    index,
    name: image.file.symbols.name(index),
    before: index,
    plan: undefined,
  }));
}

function elsewhere(name: string): LoadError {
  return new LoadError(
    "Incompatible",
    "Cannot roll back: the earlier version has a variable elsewhere than it is now",
    {
      symbol: name,
      symbols: [name],
      hint: 'roll back with state: "carry" or "fresh", or reload the older file',
    },
  );
}
