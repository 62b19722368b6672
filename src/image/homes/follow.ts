/**
 * Decides which home of a new version is the home of an old one: pure, from the files alone.
 *
 * | the variables of a home | the home |
 * |---|---|
 * | are those of one old home, in the same places, with types of the same layout | is kept |
 * | are one variable, whose type has changed | moves: its value is converted |
 * | are anything else, or nobody knows | is fresh, with the reason |
 *
 * Homes with tables of C++ classes follow rules of their own (`follow_tables.ts`).
 */

import { guardedName } from "../symbol_names.ts";
import type { VariableMatch, VersionPair } from "../version_pair.ts";
import { functionsOf } from "../compatibility.ts";
import { RelocationType } from "../../smf/enums.ts";
import type { FollowedVariable, HomeFate, HousedVersion } from "./fates.ts";
import { followTables } from "./follow_tables.ts";
import { HomePlaces, type HousedFile } from "./places.ts";

export type { FollowedVariable, HomeFate, HousedVersion };

/** Finds the fate of each home of the candidate. */
export function followHomes(
  pair: VersionPair,
  before: HousedVersion,
  after: HousedVersion,
): HomeFate[] {
  const old = HomePlaces.of(before), now = HomePlaces.of(after);
  const matches = new Map<number, VariableMatch>();
  for (const match of pair.variables()) matches.set(match.index, match);
  const labelsBefore = homesWithLabels(before, old), labelsAfter = homesWithLabels(after, now);
  return now.homes.map((_, home) => {
    if (now.isTable(home)) return followTables(pair, before, after, home);
    const variables = now.variables[home];
    if (variables.length === 0) return fresh("no symbol names what it holds");
    const found = variables.map((index) => matches.get(index)!);
    const unmatched = found.find(({ before }) => before === undefined);
    if (unmatched !== undefined) {
      const others = found.length > 1 ? `, with which it shares a section` : "";
      const isNew = found.every(({ index }) => pair.isNew(index));
      return fresh(
        found.length === 1 ? unmatched.reason! : `'${unmatched.name}'${others}: ${unmatched.reason}`,
        isNew,
      );
    }
    const followed = found.map(({ index, name, before, plan }): FollowedVariable => ({
      index,
      name,
      before: before!,
      plan,
    }));
    const symbols = before.file.symbols;
    const source = old.at(symbols.value(followed[0].before));
    if (source < 0) return fresh("it was not in a section that can stay");
    if (labelsBefore.has(source) || labelsAfter.has(home)) {
      return fresh("its initial value has the address of a place inside a function");
    }
    const changed = followed.find(({ plan }) => plan?.fate === "changed");
    if (changed !== undefined) {
      if (followed.length === 1) return { fate: "moved", before: source, variables: followed };
      return fresh(`the type of '${changed.name}' has changed, ${SHARED}`);
    }
    const difference = differenceOf({ before, after, old, now, source, home, followed });
    return difference === undefined
      ? { fate: "kept", before: source, variables: followed }
      : fresh(difference);
  });
}

const SHARED = "with which it shares a section: compile with -fdata-sections";

function fresh(reason: string, isNew = false): HomeFate {
  return { fate: "fresh", reason, isNew };
}

interface ComparedHomes {
  readonly before: HousedVersion;
  readonly after: HousedVersion;
  readonly old: HomePlaces;
  readonly now: HomePlaces;
  readonly source: number;
  readonly home: number;
  readonly followed: readonly FollowedVariable[];
}

/** Says how the contents of two homes differ; undefined if new code can use the old home. */
function differenceOf(
  { before, after, old, now, source, home, followed }: ComparedHomes,
): string | undefined {
  const from = old.homes[source], to = now.homes[home];
  const was = before.file.symbols, is = after.file.symbols;
  for (const { name, index, before: index0 } of followed) {
    const isThere = was.value(index0) - from.offset === is.value(index) - to.offset;
    if (!isThere || old.at(was.value(index0)) !== source) {
      return `'${name}' has another place in its section: compile with -fdata-sections`;
    }
    if (was.size(index0) !== is.size(index)) return `'${name}' has another size`;
  }
  if (old.variables[source].length !== followed.length) {
    return "a variable of its section is gone: compile with -fdata-sections";
  }
  if (from.size !== to.size) return `the size of its section was ${from.size}, is ${to.size}`;
  for (const [version, places, index] of [[before, old, source], [after, now, home]] as const) {
    if (!isNamedWholly(version, places, index)) return "its section has bytes that no symbol names";
  }
  return undefined;
}

/** Whether variables cover a home but for padding: zeros that are fewer than its alignment. */
function isNamedWholly(version: HousedVersion, places: HomePlaces, index: number): boolean {
  const { symbols } = version.file;
  const { offset, size, alignment } = places.homes[index];
  const isPadding = (from: number, to: number): boolean => {
    if (to <= from) return true;
    if (to - from >= Math.max(alignment, 8)) return false;
    const bytes = version.initialAt(places.place(index) + from - offset, to - from);
    return bytes === undefined || bytes.every((byte) => byte === 0);
  };
  let end = offset;
  for (const variable of places.variables[index]) {
    const start = symbols.value(variable);
    if (!isPadding(end, start)) return false;
    end = Math.max(end, start + symbols.size(variable));
  }
  return isPadding(end, offset + size);
}

/**
 * The homes whose initial values have addresses inside functions, such as of labels (`&&label`): new code
 * would jump into the old.
 */
function homesWithLabels({ file, plan }: HousedVersion, places: HomePlaces): Set<number> {
  const found = new Set<number>();
  const { relocations, symbols } = file;
  if (places.homes.length === 0) return found;
  for (let index = 0; index < relocations.length; index++) {
    if (relocations.type(index) !== RelocationType.Abs64) continue;
    const home = places.at(relocations.offset(index));
    if (home < 0) continue;
    const symbol = relocations.symbol(index);
    if (!symbols.isDefined(symbol)) continue;
    const target = symbols.value(symbol) + Number(relocations.addend(index));
    if (plan.isCode(target) && !functionStarts(file).has(target)) found.add(home);
  }
  return found;
}

const starts = new WeakMap<object, Set<number>>();

function functionStarts(file: HousedVersion["file"]): Set<number> {
  let found = starts.get(file);
  if (found === undefined) {
    found = new Set(Array.from(functionsOf(file), (index) => file.symbols.value(index)));
    starts.set(file, found);
  }
  return found;
}

/** The guard variables of a version, by the index of the variable that each guards. */
export function guardsOf({ file: { symbols } }: HousedFile, places: HomePlaces): Map<number, number> {
  const byName = new Map<string, number>();
  const guards: [string, number][] = [];
  for (const variables of places.variables) {
    for (const index of variables) {
      const name = symbols.name(index), guarded = guardedName(name);
      if (guarded === undefined) byName.set(name, index);
      else guards.push([guarded, index]);
    }
  }
  const found = new Map<number, number>();
  for (const [name, guard] of guards) {
    const object = byName.get(name);
    if (object !== undefined) found.set(object, guard);
  }
  return found;
}
