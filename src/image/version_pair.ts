/**
 * Matches the symbols of two versions of a module.
 *
 * A name that is unique in both versions is an identity. A name that a compiler
 * has numbered, or that several symbols share, is none: such variables match if
 * exactly one in each version is used by the same functions.
 */

import type { CodePiece } from "./code_references.ts";
import type { HousedFile } from "./homes/places.ts";
import { type PlannedFile, variablesOf } from "./compatibility.ts";
import { NameGroups } from "./name_groups.ts";
import { baseName, isNumbered, isOfUnchangedObject, nameWithoutFile } from "./symbol_names.ts";
import { StoredParts } from "./stored_parts.ts";
import { usersOf } from "./symbol_users.ts";
import { type ChangedPointee, TypedPair } from "./typed_variables.ts";
import { SymbolType } from "../smf/enums.ts";
import { equal } from "../smf/equal.ts";
import type { SmfFile } from "../smf/file.ts";
import type { ModuleTypes } from "../smf/types.ts";
import type { TypePlan } from "../types/type_plan.ts";

/** The reason of a variable that only the new version has. */
export const NEW_VARIABLE = "the old version has no variable of this name";

/** A variable of a new version: the variable of the old version that gives it its value, or why none does. */
export type VariableMatch =
  & {
    /** The index in the new version's symbol table. */
    readonly index: number;
    readonly name: string;
  }
  & ({
    /** The index in the old version's symbol table. */
    readonly before: number;
    /** How its value becomes one of the new type; undefined if the files do not tell both types. */
    readonly plan?: TypePlan;
    readonly reason?: undefined;
  } | {
    readonly before?: undefined;
    readonly plan?: undefined;
    /** The reason, for messages: "its size was 4, is 8". */
    readonly reason: string;
  });

/** A version whose symbols are compared. */
export interface ComparedVersion extends HousedFile {
  /** Reads its types; without it variables match by size. */
  readonly types?: () => ModuleTypes | undefined;
  /** Reads the code of its image; without it nobody knows which functions use a variable. */
  readonly code?: () => readonly CodePiece[];
}

/** Two versions of a module, and which symbol of one has become which of the other. */
export class VersionPair {
  readonly previous: ComparedVersion;
  readonly candidate: ComparedVersion;
  /** Whether both are made from the same bytes: then everything is where it was. */
  readonly isIdentical: boolean;
  readonly #namesBefore: NameGroups;
  readonly #namesAfter: NameGroups;
  /** The counterpart of each symbol of the old version plus one; 0 if it has none. */
  #after: Int32Array;
  /** The counterpart of each symbol of the candidate plus one; 0 if it has none. */
  #before: Int32Array;
  readonly #isInPlace: boolean;
  readonly #parts: StoredParts;
  /** Undefined if one version does not tell its types, null before somebody asks. */
  #typed: TypedPair | undefined | null = null;

  /** @param isInPlace Whether variables whose types are the same stay where they are. */
  constructor(previous: ComparedVersion, candidate: ComparedVersion, isInPlace = false) {
    this.#isInPlace = isInPlace;
    this.previous = previous;
    this.candidate = candidate;
    this.isIdentical = isSameFile(previous, candidate);
    this.#namesBefore = NameGroups.of(previous.file);
    this.#namesAfter = NameGroups.of(candidate.file, previous.file);
    this.#parts = new StoredParts(previous, this.#namesBefore);
    if (this.isIdentical) {
      this.#after = this.#before = Int32Array.from(
        { length: previous.file.symbols.length },
        (_, index) => index + 1,
      );
    } else if (this.hasSameNames && this.#namesAfter.unclear.length === 0) {
      this.#after = this.#before = this.#namesAfter.identities;
    } else {
      this.#after = new Int32Array(previous.file.symbols.length);
      this.#before = new Int32Array(candidate.file.symbols.length);
      this.#matchGroups();
      if (!isInPlace) this.#matchFiles();
    }
  }

  /** Whether both versions have the same names in the same order. */
  get hasSameNames(): boolean {
    return this.#namesBefore === this.#namesAfter;
  }

  /** The symbol of the candidate that a symbol of the old version has become. */
  counterpart(before: number): number | undefined {
    const after = this.#after[before];
    return after > 0 ? after - 1 : undefined;
  }

  #previousOf(after: number): number | undefined {
    const before = this.#before[after];
    return before > 0 ? before - 1 : undefined;
  }

  /** The types of both versions; undefined if one does not tell them, or nothing has changed. */
  get typed(): TypedPair | undefined {
    if (this.#typed !== null) return this.#typed;
    const { previous, candidate } = this;
    const now = this.isIdentical ? undefined : candidate.types?.();
    const old = now === undefined ? undefined : previous.types?.();
    return this.#typed = old === undefined || now === undefined ? undefined : new TypedPair(
      { file: previous.file, types: old },
      { file: candidate.file, types: now },
      this.#isInPlace,
    );
  }

  /** How the value of a variable of the old version becomes that of its counterpart; undefined if types do not say. */
  planOf(before: number): TypePlan | undefined {
    const after = this.counterpart(before);
    return after === undefined ? undefined : this.typed?.plan(before, after);
  }

  /** Finds the structs that pointers in variables lead to, and whose layout has changed. */
  changedPointees(plans: Iterable<readonly [name: string, plan: TypePlan]>): readonly ChangedPointee[] {
    return this.typed?.changedPointees(plans) ?? [];
  }

  /** Matches every variable of the candidate by name, type and version; without types by size. */
  *variables(): Iterable<VariableMatch> {
    const { symbols } = this.candidate.file;
    for (const index of variablesOf(this.candidate)) {
      const name = symbols.name(index);
      const before = this.#previousOf(index);
      const plan = before === undefined ? undefined : this.planOf(before);
      const reason = before === undefined ? this.#unmatched(name) : this.#mismatch(before, index, plan);
      if (reason !== undefined) yield { index, name, reason };
      else if (plan === undefined) yield { index, name, before: before! };
      else yield { index, name, before: before!, plan };
    }
  }

  /** Whether the old version has no symbol of the name of this one, nor one of a part of it, or of the whole. */
  isNew(after: number): boolean {
    const name = this.candidate.file.symbols.name(after);
    return this.#namesBefore.group(baseName(name)).length === 0 && this.#parts.difference(name) === undefined;
  }

  /** The indices of the old version's variables whose name the candidate does not have. */
  *removedVariables(): Iterable<number> {
    for (const before of variablesOf(this.previous)) {
      if (this.#after[before] > 0) continue;
      const name = this.previous.file.symbols.name(before);
      const group = this.#namesAfter.group(baseName(name));
      if (!group.some((index) => this.candidate.file.symbols.name(index) === name)) yield before;
    }
  }

  #match(before: number, after: number): void {
    this.#after[before] = after + 1;
    this.#before[after] = before + 1;
  }

  #matchGroups(): void {
    const { previous: { file: { symbols: old } }, candidate: { file: { symbols: now } } } = this;
    const unclear: [readonly number[], readonly number[]][] = [];
    this.#namesBefore.pairWith(
      this.#namesAfter,
      (before, after) => this.#match(before, after),
      (olds, news) => {
        const [was, is] = [olds[0], news[0]];
        const isFunction = old.type(was) === SymbolType.Function;
        const isUnique = olds.length === 1 && news.length === 1 && old.name(was) === now.name(is);
        if (isUnique && (isFunction || !isNumbered(old.name(was)))) this.#match(was, is);
        else unclear.push([olds, news]);
      },
    );
    if (unclear.length === 0) return;
    if (this.#isInPlace) {
      for (const [olds, news] of unclear) this.#matchPlain(olds, news);
      return;
    }
    const isData = (version: PlannedFile) => (index: number): boolean => {
      const { symbols } = version.file;
      return symbols.type(index) !== SymbolType.Function && symbols.size(index) > 0;
    };
    const { previous, candidate } = this;
    const oldUsers = usersOf(
      previous,
      unclear.flatMap(([before]) => before.filter(isData(previous))),
      previous.code,
    );
    const newUsers = usersOf(
      candidate,
      unclear.flatMap(([, after]) => after.filter(isData(candidate))),
      candidate.code,
    );
    for (const [before, after] of unclear) {
      const byUsers = uniqueByUsers(before, oldUsers);
      for (const [text, is] of uniqueByUsers(after, newUsers)) {
        const was = byUsers.get(text);
        if (was !== undefined) this.#match(was, is);
      }
    }
  }

  /**
   * Matches variables of one name in different files, such as the only file of one version, whose name is left out:
   * copies are matched by name, and each of these is the only variable of that name in its version.
   */
  #matchFiles(): void {
    const old = onlyOfName(this.previous);
    for (const [name, is] of onlyOfName(this.candidate)) {
      const was = old.get(name) ?? -1;
      if (was === -1 || is === -1 || this.#after[was] !== 0 || this.#before[is] !== 0) continue;
      // Equal names have been judged.
      const { previous: { file: before }, candidate: { file: after } } = this;
      if (before.symbols.name(was) !== after.symbols.name(is)) this.#match(was, is);
    }
  }

  /**
   * Matches the symbols of unchanged objects, and the one of a group whose name has no number. Users are no
   * identity: a function that is inlined leaves its variables to its callers, which may have one of the same name
   * in the next version.
   */
  #matchPlain(before: readonly number[], after: readonly number[]): void {
    const { previous, candidate } = this;
    const byName = new Map(before.map((index) => [previous.file.symbols.name(index), index]));
    for (const is of after) {
      const name = candidate.file.symbols.name(is);
      if (isOfUnchangedObject(name) && byName.has(name)) this.#match(byName.get(name)!, is);
    }
    const was = onlyPlain(previous.file, before), is = onlyPlain(candidate.file, after);
    if (was !== undefined && is !== undefined) this.#match(was, is);
  }

  /** Why a variable of the candidate matches no variable of the old version. */
  #unmatched(name: string): string {
    const base = baseName(name);
    const before = this.#namesBefore.group(base);
    if (before.length === 0) {
      return this.#parts.difference(name) ?? NEW_VARIABLE;
    }
    const old = this.previous.file.symbols;
    const hasNumber = base !== name || before.some((other) => old.name(other) !== name) ||
      this.#namesAfter.group(base).some((other) => this.candidate.file.symbols.name(other) !== name);
    if (!hasNumber) return "its name is not unique";
    return this.#isInPlace
      ? "nothing tells which variable of the old version it was: compile with -g"
      : "the compiler numbers its name, and no variable of the old version has the same users";
  }

  #mismatch(before: number, after: number, plan?: TypePlan): string | undefined {
    const { symbols: old } = this.previous.file;
    const { symbols: now } = this.candidate.file;
    const [was, is] = [old.size(before), now.size(after)];
    if (plan === undefined && was !== is) return `its size was ${was}, is ${is}`;
    if (old.type(before) !== now.type(after) || old.typeId(before) !== now.typeId(after)) {
      return "its type has changed";
    }
    const [from, to] = [old.version(before), now.version(after)];
    if (from !== to) return `its version was ${from}, is ${to}`;
    return plan?.fate === "fresh" ? plan.reason : undefined;
  }
}

/** The variables whose names a file follows, by the names alone; -1 for those that several variables have. */
function onlyOfName(version: ComparedVersion): Map<string, number> {
  const { symbols } = version.file;
  const found = new Map<string, number>();
  for (const index of variablesOf(version)) {
    const name = nameWithoutFile(symbols.name(index));
    if (name !== undefined) found.set(name, found.has(name) ? -1 : index);
  }
  return found;
}

/**
 * The only symbol of a group whose name has no number; undefined for C++, which numbers all but the first. A symbol
 * without a size stands beside that of the variable, for a GOT slot.
 */
function onlyPlain({ symbols }: SmfFile, group: readonly number[]): number | undefined {
  const plain = group.filter((index) =>
    symbols.size(index) > 0 && baseName(symbols.name(index)) === symbols.name(index)
  );
  return plain.length === 1 && !symbols.name(plain[0]).startsWith("_Z") ? plain[0] : undefined;
}

/** The variables of a group by the text of their users, without texts that several have. */
function uniqueByUsers(group: readonly number[], users: ReadonlyMap<number, string>): Map<string, number> {
  const unique = new Map<string, number>();
  const shared = new Set<string>();
  for (const index of group) {
    const text = users.get(index);
    if (text === undefined) continue;
    if (unique.has(text)) shared.add(text);
    unique.set(text, index);
  }
  for (const text of shared) unique.delete(text);
  return unique;
}

/** Whether two files have the same bytes, by the hash that covers all of them, and the same places in memory. */
function isSameFile(a: PlannedFile, b: PlannedFile): boolean {
  const [left, right] = [a.file, b.file];
  return left.checksum !== undefined && right.checksum !== undefined && left.size === right.size &&
    left.header.moduleHash === right.header.moduleHash &&
    left.header.sourceHash === right.header.sourceHash &&
    a.plan.size === b.plan.size && a.plan.data.offset === b.plan.data.offset &&
    equal(left.symbols.words, right.symbols.words) &&
    equal(left.relocations.words, right.relocations.words);
}
