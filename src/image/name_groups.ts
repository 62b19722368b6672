/**
 * The names of a file's symbols, sorted out once: which of them are identities. Versions whose tables have the same
 * names share what follows from these.
 */

import { isAddress } from "./plan.ts";
import { baseName, isNumbered } from "./symbol_names.ts";
import { SymbolType } from "../smf/enums.ts";
import type { SmfFile } from "../smf/file.ts";
import type { SymbolTable } from "../smf/symbol.ts";

/** The symbols of one base name: an index alone if it is the only one, and has no number. */
export type Group = number | readonly number[];

const known = new WeakMap<SmfFile, NameGroups>();

/** The defined symbols of a file by their names. */
export class NameGroups {
  /** By base name. */
  readonly groups: ReadonlyMap<string, Group>;
  /** The groups that are no identity by their names alone. */
  readonly unclear: readonly (readonly number[])[];
  /** For each symbol its index plus one if its name is an identity, else 0. */
  readonly identities: Int32Array;
  /** What others have found from these names. */
  readonly facts: Map<unknown, unknown> = new Map();

  private constructor(symbols: SymbolTable) {
    const groups = groupsOf(symbols);
    const identities = new Int32Array(symbols.length), unclear: (readonly number[])[] = [];
    for (const group of groups.values()) {
      const index = typeof group === "number" ? group : group[0];
      if (isIdentity(symbols, group)) identities[index] = index + 1;
      else unclear.push(membersOf(group));
    }
    this.groups = groups;
    this.unclear = unclear;
    this.identities = identities;
  }

  /**
   * The names of a file, found once.
   *
   * @param like A file that probably has the same names: then both have the same object.
   */
  static of(file: SmfFile, like?: SmfFile): NameGroups {
    let names = known.get(file);
    if (names !== undefined) return names;
    const shared = like === undefined ? undefined : known.get(like);
    names = shared !== undefined && file.symbols.hasSameNames(like!.symbols)
      ? shared
      : new NameGroups(file.symbols);
    known.set(file, names);
    return names;
  }

  /** Finds something from the names, once for all files that have them. */
  fact<T>(find: () => T, key: unknown): T {
    if (!this.facts.has(key)) this.facts.set(key, find());
    return this.facts.get(key) as T;
  }
}

/** The indices in a group. */
export function membersOf(group: Group): readonly number[] {
  return typeof group === "number" ? [group] : group;
}

function isIdentity(symbols: SymbolTable, group: Group): boolean {
  if (typeof group === "number") return true;
  const [index] = group;
  return group.length === 1 &&
    (symbols.type(index) === SymbolType.Function || !isNumbered(symbols.name(index)));
}

function groupsOf(symbols: SymbolTable): Map<string, Group> {
  const groups = new Map<string, number | number[]>();
  for (let index = 0; index < symbols.length; index++) {
    if (!symbols.isDefined(index) || !isAddress(symbols.type(index))) continue;
    const name = symbols.name(index), base = baseName(name);
    const group = groups.get(base);
    if (group === undefined) groups.set(base, base === name ? index : [index]);
    else if (typeof group === "number") groups.set(base, [group, index]);
    else group.push(index);
  }
  return groups;
}
