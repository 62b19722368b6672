/**
 * Decides which table of a C++ class of a new version is the one of an old version: pure. Names are identities where
 * they are unique; the contents must agree by names, too.
 */

import type { VersionPair } from "../version_pair.ts";
import { ClassTables, hasVirtuals, isNumberedTable } from "./class_tables.ts";
import {
  type ChangedUse,
  type ComparedTable,
  compareTables,
  type TableDifference,
} from "./compare_tables.ts";
import type { FollowedVariable, HomeFate, HousedVersion } from "./fates.ts";
import { HomePlaces } from "./places.ts";

/** Finds the fate of a home with tables of classes. */
export function followTables(
  pair: VersionPair,
  before: HousedVersion,
  after: HousedVersion,
  home: number,
): HomeFate {
  const old = HomePlaces.of(before), now = HomePlaces.of(after);
  const indices = now.variables[home];
  if (indices.length === 0) return fresh("no symbol names what it holds");
  const found = indices.map((index) => counterpart(pair, before, after, index));
  const unmatched = found.find((each) => typeof each === "string");
  if (unmatched !== undefined) return fresh(unmatched as string, found.every((each) => each === NO_TABLE));
  const followed = found as FollowedVariable[];
  const was = before.file.symbols, is = after.file.symbols;
  const source = old.at(was.value(followed[0].before));
  if (source < 0 || !old.isTable(source)) return fresh("it was not in a section that can stay");
  const start = { old: old.homes[source].offset, now: now.homes[home].offset };
  const isSame = old.variables[source].length === followed.length &&
    followed.every(({ index, before: first }) =>
      old.at(was.value(first)) === source && was.value(first) - start.old === is.value(index) - start.now
    );
  if (!isSame) return fresh("its section holds other tables: compile with -fdata-sections");
  const mayGrow = followed.every(({ index }) => is.value(index) === start.now);
  const changedUse: ChangedUse = (was, is) => pair.typed?.changedUse(was, is);
  for (const { index, before: first } of followed) {
    const difference = compareTables(tableOf(before, first), tableOf(after, index), mayGrow, changedUse);
    if (difference !== undefined) return { ...fresh(difference.problem), difference };
  }
  return { fate: "kept", before: source, variables: followed };
}

function fresh(reason: string, isNew = false): Extract<HomeFate, { fate: "fresh" }> {
  return { fate: "fresh", reason, isNew };
}

const NO_TABLE = "the old version has no table of this name";

/** The table of the old version that one of the new version was, or why there is none. */
function counterpart(
  pair: VersionPair,
  before: HousedVersion,
  after: HousedVersion,
  index: number,
): FollowedVariable | string {
  const { symbols } = after.file, name = symbols.name(index);
  const followed = (first: number): FollowedVariable => ({ index, name, before: first, plan: undefined });
  if (pair.isIdentical) return followed(index);
  const olds = ClassTables.of(before).byName.get(name) ?? [];
  if (olds.length === 0) return NO_TABLE;
  if (olds.length > 1 || ClassTables.of(after).byName.get(name)!.length > 1) return "its name is not unique";
  if (isNumberedTable(name)) return "the compiler numbers its name";
  return followed(olds[0].index);
}

/** A table of a version with its bytes. */
export function tableOf(version: HousedVersion, index: number): ComparedTable {
  const table = ClassTables.of(version).at(index)!;
  let read: Uint8Array | undefined;
  return {
    ...table,
    bytes: (offset, size) => {
      read ??= version.constantsAt?.(version.plan.place(table.start, 0), table.size);
      return read?.subarray(offset, offset + size);
    },
  };
}

/**
 * Compares the virtual tables that objects of before keep, because the new version has tables of its own instead.
 *
 * @param kept The names of tables that both versions share.
 */
export function changedVtables(
  before: HousedVersion,
  after: HousedVersion,
  kept: ReadonlySet<string> = new Set(),
): TableDifference[] {
  const now = ClassTables.of(after).byName;
  const changed: TableDifference[] = [];
  for (const [name, olds] of ClassTables.of(before).byName) {
    const news = now.get(name);
    if (news === undefined || kept.has(name) || !hasVirtuals(name)) continue;
    const differences = olds.map((was) => {
      const all = news.map((is) =>
        compareTables(tableOf(before, was.index), tableOf(after, is.index), false)
      );
      // Of several tables of one name nobody knows which is which: all must do for each.
      return all.find((each) => each !== undefined);
    });
    const difference = differences.find((each) => each !== undefined);
    if (difference !== undefined) changed.push(difference);
  }
  return changed;
}
