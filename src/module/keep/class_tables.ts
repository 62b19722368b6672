/**
 * Tables of C++ classes that stay where they are: checks that a new version suits them, and reports what became of
 * them.
 */

import { NEW_VARIABLE } from "../../image/version_pair.ts";
import { ClassTables, hasVirtuals } from "../../image/homes/class_tables.ts";
import { type ChangedUse, compareTables, type TableDifference } from "../../image/homes/compare_tables.ts";
import { changedVtables, tableOf } from "../../image/homes/follow_tables.ts";
import type { HousedVersion } from "../../image/homes/fates.ts";
import { HomePlaces } from "../../image/homes/places.ts";
import { TypedPair } from "../../image/typed_variables.ts";
import type { Compatibility } from "../../image/compatibility.ts";
import { LoadError } from "../../errors/load_error.ts";
import type { LoadedImage } from "../../load/loader.ts";
import { typesOf, typesOfRunning } from "../image_types.ts";
import { housed } from "./housed.ts";
import { type HomePlan, type KeepPlan, makeFresh } from "./plan_model.ts";
import type { KeptTable } from "./kept_table.ts";
import { filledSize, type HomePlace } from "./table.ts";
import { TableCopies } from "./virtual_words.ts";

const WORD = 8;

/**
 * Checks the tables of a candidate against those that stay, and against those that objects of before keep. What cannot
 * stay becomes fresh.
 *
 * @throws {LoadError} `Incompatible` with `strict`, if objects of one version do not suit the code of another.
 */
export function checkTables(plan: KeepPlan, compatibility: Compatibility): void {
  const { homes, places, previous, candidate, table } = plan;
  if (places.tables.length === 0 && ClassTables.of(previous).byName.size === 0) return;
  const after = housed(candidate, typesOf);
  const copies = new TableCopies(table);
  const differences: TableDifference[] = [];
  for (const index of places.tables) {
    const home = homes[index];
    const difference = home.difference ??
      (home.fate === "kept" ? differenceInPlace(copies, home, previous, after) : undefined);
    if (difference === undefined) continue;
    differences.push(difference);
    makeFresh(home, difference.problem);
  }
  if (compatibility === "allow") return;
  const kept = homes.filter(({ fate }) => fate === "kept");
  if (kept.length === 0 && differences.length === 0) return;
  const known = new Set(kept.flatMap(({ variables }) => variables.map(({ name }) => name)));
  for (const { table } of differences) known.add(table);
  differences.push(...changedVtables(housed(previous, typesOfRunning), after, known));
  if (differences.length > 0) throw refusal(differences, previous, candidate);
}

/** How a table differs from the one in place, which versions other than the previous one may have filled. */
function differenceInPlace(
  copies: TableCopies,
  { variables, place }: HomePlan,
  previous: LoadedImage,
  after: HousedVersion,
): TableDifference | undefined {
  const { filled } = place!;
  const known = ClassTables.of(filled.version).byName;
  for (const { index, name } of variables) {
    const is = tableOf(after, index), others = known.get(name);
    if (others?.length === 1 && filled.version !== previous) {
      const was = tableOf(housed(filled.version, typesOfRunning), others[0].index);
      // A version that was rolled back may have appended functions that this one does not have.
      const size = Math.min(was.size, is.size);
      const words = new Map([...was.words].filter(([at]) => at < size));
      const difference = compareTables(
        { ...was, size, words },
        is,
        true,
        typesBetween(filled.version, after),
      );
      if (difference !== undefined) return difference;
    }
    const missing = (is.size - roomOf(copies, place!)) / WORD;
    if (missing <= 0) continue;
    return {
      table: name,
      was: undefined,
      is: undefined,
      problem: `its spare slots are used up, and it needs ${missing} more`,
      hint: "load the module anew, linked with more spare slots (--spare-virtuals N)",
    };
  }
  return undefined;
}

/** Compares declarations of a version with those of the new one. */
function typesBetween(version: LoadedImage, after: HousedVersion): ChangedUse {
  let pair: TypedPair | undefined;
  return (was, is) => {
    const old = typesOfRunning(version), now = after.types?.();
    if (old === undefined || now === undefined) return undefined;
    pair ??= new TypedPair({ file: version.file, types: old }, { file: after.file, types: now }, true);
    return pair.changedUse(was, is);
  };
}

/** The bytes that all copies of a table have. */
function roomOf(copies: TableCopies, place: HomePlace): number {
  return copies.of(place).reduce((room, { size }) => Math.min(room, size), place.size);
}

function refusal(
  differences: readonly TableDifference[],
  ...versions: readonly LoadedImage[]
): LoadError {
  // Type information says most clearly that base classes have changed.
  const first = differences.find(({ table }) => !hasVirtuals(table)) ?? differences[0];
  const { table, was, is, problem, hint } = first;
  const isHot = versions.every((image) => HomePlaces.of(image).tables.length > 0);
  const names = [...new Set(differences.map(({ table }) => table))];
  return new LoadError(
    "Incompatible",
    `Cannot keep variables: virtual functions were added, removed or moved, and objects of before have them ` +
      `elsewhere: ${table}: ${problem}`,
    {
      symbols: names,
      symbol: table,
      ...(was === undefined ? {} : { expected: was }),
      ...(is === undefined ? {} : { actual: is }),
      hint: `${isHot ? hint : "link both versions with --hot to append virtual functions"}; or reload with ` +
        'state: "fresh", or with compatibility: "allow" if no such object is in use',
    },
  );
}

/** Reports what becomes of the tables. */
export function reportTables({ homes, candidate, places, table }: KeepPlan): KeptTable[] {
  const { symbols } = candidate.file, copies = new TableCopies(table);
  return places.tables.map((index) => homes[index]).flatMap(({ home, fate, place, reason }) =>
    places.variables[home].map((index): KeptTable => {
      const name = symbols.name(index), isVirtual = hasVirtuals(name) && places.variables[home].length === 1;
      const size = filledSize(candidate, home);
      if (fate !== "kept") {
        const spare = isVirtual ? (places.homes[home].size - size) / WORD : 0;
        return {
          name,
          fate: "fresh",
          appended: 0,
          spare,
          reason: reason === NEW_VARIABLE ? "it is new" : reason!,
        };
      }
      const filled = filledSize(place!.filled.version, place!.filled.index);
      const appended = Math.max(0, size - filled) / WORD;
      const spare = isVirtual ? (roomOf(copies, place!) - Math.max(size, filled)) / WORD : 0;
      return { name, fate: appended > 0 ? "appended" : "kept", appended, spare };
    })
  );
}
