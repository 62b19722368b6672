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

import type { VariableMatch, VersionPair } from "../version_pair.ts";
import { functionsOf } from "../compatibility.ts";
import { RelocationType, SymbolType } from "../../smf/enums.ts";
import { equal } from "../../smf/equal.ts";
import type { SmfFile } from "../../smf/file.ts";
import { decodedOf, type ModuleTypes } from "../../smf/types.ts";
import { TypedAddresses } from "../../types/typed_addresses.ts";
import type { FollowedVariable, HomeFate, HousedVersion } from "./fates.ts";
import { followTables } from "./follow_tables.ts";
import { HomePlaces } from "./places.ts";
import type { HomeShape } from "./shape.ts";

export type { FollowedVariable, HomeFate, HousedVersion };

/** Finds the fate of each home of the candidate. */
export function followHomes(
  pair: VersionPair,
  before: HousedVersion,
  after: HousedVersion,
): readonly HomeFate[] {
  const alike = alikeTypes(pair, before, after);
  const shape = HomePlaces.of(after).shape;
  if (alike !== undefined) {
    const known = shape.facts.get(followHomes) as KnownFates | undefined;
    if (known !== undefined && isSame(known.types, alike) && areNamedWholly(known, before, after)) {
      return withTables(known.fates, pair, before, after);
    }
  }
  const named = new Set<number>();
  const fates = compareHomes(pair, before, after, named);
  const isUsable = alike !== undefined && [...named].every((home) => fates[home].fate === "kept");
  if (isUsable) shape.facts.set(followHomes, { fates, types: alike, named } satisfies KnownFates);
  return fates;
}

/** Known fates, with those of tables of classes, whose contents may have changed. */
function withTables(
  fates: readonly HomeFate[],
  pair: VersionPair,
  before: HousedVersion,
  after: HousedVersion,
): readonly HomeFate[] {
  const { tables } = HomePlaces.of(after);
  if (tables.length === 0) return fates;
  const found = [...fates];
  for (const home of tables) found[home] = followTables(pair, before, after, home);
  return found;
}

/** The types of the variables in homes: one graph for both versions, and the type of each variable in turn. */
interface AlikeTypes {
  readonly graph: ModuleTypes["types"] | undefined;
  readonly ids: Uint32Array;
}

/** The fates of homes, which hold for all pairs of versions that have the same shape and types. */
interface KnownFates {
  readonly fates: readonly HomeFate[];
  readonly types: AlikeTypes;
  /** The homes whose bytes between variables were looked at. */
  readonly named: ReadonlySet<number>;
}

function isSame(left: AlikeTypes, right: AlikeTypes): boolean {
  return left.graph === right.graph && equal(left.ids, right.ids);
}

function areNamedWholly({ named }: KnownFates, before: HousedVersion, after: HousedVersion): boolean {
  return [...named].every((home) =>
    isNamedWholly(before, HomePlaces.of(before), home) && isNamedWholly(after, HomePlaces.of(after), home)
  );
}

/** The types of both versions if each home is as it was, as far as names, places and types tell. */
function alikeTypes(
  pair: VersionPair,
  before: HousedVersion,
  after: HousedVersion,
): AlikeTypes | undefined {
  if (!pair.hasSameNames) return undefined;
  const old = HomePlaces.of(before), { shape } = old;
  if (
    HomePlaces.of(after).shapeLike(before) !== shape || labelsOf(before).size > 0 || labelsOf(after).size > 0
  ) {
    return undefined;
  }
  for (let home = 0; home < shape.variables.length; home++) {
    if (old.isTable(home)) continue;
    for (const index of shape.variables[home]) if (pair.counterpart(index) !== index) return undefined;
  }
  const was = before.types?.(), is = after.types?.();
  if (was?.types !== is?.types) return undefined;
  const [ids, others] = [typeIds(before, shape, was), typeIds(after, shape, is)];
  return equal(ids, others) ? { graph: is?.types, ids } : undefined;
}

const typeIdsOf = new WeakMap<SmfFile, Uint32Array>();

/** The numbers of the types of the variables in homes, in their order; 0 if unknown. */
function typeIds({ file }: HousedVersion, shape: HomeShape, types: ModuleTypes | undefined): Uint32Array {
  let ids = typeIdsOf.get(file);
  if (ids === undefined) {
    const { symbols } = file, found: number[] = [];
    const { addresses, types: numbers } = types === undefined ? new TypedAddresses() : decodedOf(types).typed;
    let at = 0;
    for (const variables of shape.variables) {
      for (const index of variables) {
        // Both ascend, but for variables that share a place.
        const value = symbols.value(index);
        while (at > 0 && addresses[at - 1] >= value) at--;
        while (addresses[at] < value) at++;
        found.push(addresses[at] === value && symbols.visibility(index) > 0 ? numbers[at] : 0);
      }
    }
    typeIdsOf.set(file, ids = Uint32Array.from(found));
  }
  return ids;
}

/** @param named Gets the homes whose bytes between variables are looked at. */
function compareHomes(
  pair: VersionPair,
  before: HousedVersion,
  after: HousedVersion,
  named: Set<number>,
): HomeFate[] {
  const old = HomePlaces.of(before), now = HomePlaces.of(after);
  const matches = new Map<number, VariableMatch>();
  for (const match of pair.variables()) matches.set(match.index, match);
  const labelsBefore = labelsOf(before), labelsAfter = labelsOf(after);
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
    const difference = differenceOf({ before, after, old, now, source, home, followed, named });
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
  readonly named: Set<number>;
}

/** Says how the contents of two homes differ; undefined if new code can use the old home. */
function differenceOf(
  { before, after, old, now, source, home, followed, named }: ComparedHomes,
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
    if (!isNamedWholly(version, places, index, () => named.add(home))) {
      return "its section has bytes that no symbol names";
    }
  }
  return undefined;
}

/** Whether variables cover a home but for padding: zeros that are fewer than its alignment. */
function isNamedWholly(
  version: HousedVersion,
  places: HomePlaces,
  index: number,
  reads: () => void = () => {},
): boolean {
  const { symbols } = version.file;
  const { offset, size, alignment } = places.homes[index];
  const isPadding = (from: number, to: number): boolean => {
    if (to <= from) return true;
    if (to - from >= Math.max(alignment, 8)) return false;
    reads();
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

const labels = new WeakMap<SmfFile, Set<number>>();

/**
 * The homes whose initial values have addresses inside functions, such as of labels (`&&label`): new code
 * would jump into the old.
 */
function labelsOf(version: HousedVersion): Set<number> {
  let found = labels.get(version.file);
  if (found === undefined) labels.set(version.file, found = homesWithLabels(version, HomePlaces.of(version)));
  return found;
}

function homesWithLabels({ file, plan }: HousedVersion, places: HomePlaces): Set<number> {
  const found = new Set<number>();
  const { relocations, symbols } = file;
  const { first, end } = places.range;
  let starts: Set<number> | undefined;
  for (let index = 0; index < relocations.length; index++) {
    const offset = relocations.offset(index);
    if (offset < first || offset >= end || relocations.type(index) !== RelocationType.Abs64) continue;
    const symbol = relocations.symbol(index);
    if (!symbols.isDefined(symbol)) continue;
    // The address of a function itself, as most are.
    const isStart = symbols.type(symbol) === SymbolType.Function && relocations.addendLow(index) === 0 &&
      relocations.addendHigh(index) === 0;
    if (isStart) continue;
    const target = symbols.value(symbol) +
      (relocations.addendHigh(index) * 2 ** 32 + relocations.addendLow(index));
    if (!plan.isCode(target)) continue;
    const home = places.at(offset);
    if (home < 0) continue;
    starts ??= new Set(Array.from(functionsOf(file), (index) => symbols.value(index)));
    if (!starts.has(target)) found.add(home);
  }
  return found;
}
