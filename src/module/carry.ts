/**
 * Carries the values of variables from one version of a module to the next.
 *
 * Variables match by name, version and type: the values of those whose layout
 * has changed are carried by the names of their fields. Where the files do not
 * tell the types, variables match by size. A word in a variable that is
 * an address inside the old image becomes the address of the same symbol in the
 * new one; if the new one has no such symbol, the word is reported and the old
 * version stays.
 */

import {
  type ChangedPointee,
  conversionOf,
  type ConvertedVariable,
  type FreshVariable,
} from "../image/typed_variables.ts";
import { VersionPair } from "../image/version_pair.ts";
import { LoadError } from "../errors/load_error.ts";
import type { LoadedImage } from "../load/loader.ts";
import { cannotTake, type CarryPlan, copyValue, followGuards, planVariables, TAKEN } from "./carry_plan.ts";
import { housed } from "./keep/housed.ts";
import { CarriedWords } from "./carried_words.ts";
import type { KeptTable } from "./keep/kept_table.ts";
import type { UnusedObjects } from "./keep/unused.ts";
import { typesOf, typesOfRunning } from "./image_types.ts";
import { ImageData, offsetOf, readAddress, writeAddress } from "./image_data.ts";

export type { ChangedPointee, ConvertedVariable, FreshVariable, KeptTable, UnusedObjects };

/** A word that still points into the old version. */
export interface OldPointer {
  /** The variable that holds it. */
  readonly name: string;
  /** Its offset in the variable, in bytes. */
  readonly offset: number;
  /** The address. */
  readonly value: bigint;
}

/** The fate of the code of a version that was replaced, while its variables stay. */
export interface ReplacedCodeFate {
  /** The bytes of its code, and of its debug information if it was loaded from bytes: the loader keeps that. */
  readonly bytes: number;
  /**
   * Why they stay until the module ends: somebody may have an address in them, or nobody knows. Undefined if they go:
   * at a later reload, once the version is not kept any more (`keepVersions`) and no thread is in it.
   */
  readonly stays: string | undefined;
}

/** The outcome of carrying variables. */
export interface CarryReport {
  /** The names of variables whose values were carried over as they were. */
  readonly carried: readonly string[];
  /** With `keep`: the variables that stay where they are. */
  readonly kept: readonly string[];
  /** With `keep`, in a hot module: what became of virtual tables and type information of C++. */
  readonly tables: readonly KeptTable[];
  /** With `keep`: the variables that got a new place and their old values field by field, since their layout has changed. */
  readonly moved: readonly ConvertedVariable[];
  /** With `keep`: what the new version's initialisers made for variables that stay where they are; else undefined. */
  readonly unused: UnusedObjects | undefined;
  /** With `keep`: the code of the version that was replaced; else undefined. */
  readonly replacedCode: ReplacedCodeFate | undefined;
  /** Variables that got the old values field by field, since their layout has changed. */
  readonly converted: readonly ConvertedVariable[];
  /** Variables of the new version that start with its own values. */
  readonly fresh: readonly FreshVariable[];
  /** Addresses inside the old version, which is kept for them. */
  readonly oldPointers: readonly OldPointer[];
  /**
   * The carried variables whose types the files do not tell: they were matched
   * by name and size, and nobody knows whether the bytes mean the same.
   */
  readonly matchedBySize: readonly string[];
  /** The carried variables that kept their values although their initial values differ between the files. */
  readonly initialValueChanged: readonly string[];
  /**
   * The variables that lead by pointers to structs whose layout has changed.
   * Such structs keep the old layout unless they are variables of the module:
   * move them in `migrate`.
   */
  readonly changedPointees: readonly ChangedPointee[];
}

/** Options of carrying: which variables, and what to do about addresses that cannot be carried. */
export interface CarryOptions {
  /**
   * The variables that take the new version's initial values: these names, as
   * reports have them (`step.count@src/a.c` of a static one), or `unwritten`: all those that the program has never written and whose initial
   * values differ between the files.
   *
   * @default []
   */
  readonly take?: readonly string[] | "unwritten";
  /**
   * Whether a reload is refused (`refuse`) if a carried variable holds an
   * address in the old version that the new version has nothing for, or goes
   * ahead and keeps the old version loaded (`keep`).
   *
   * @default "keep"
   */
  readonly oldPointers?: "keep" | "refuse";
}

/**
 * Copies the variables that match from `previous` to `candidate`.
 *
 * @throws {LoadError} `Incompatible` if `take` names what is not a variable of
 * the new version, or if old pointers are left and are to be refused.
 */
export function carryState(
  previous: LoadedImage,
  candidate: LoadedImage,
  options: CarryOptions = {},
): CarryReport {
  const { take = [], oldPointers: treatment = "keep" } = options;
  if (previous.homeAddresses?.some((address) => address !== undefined)) throw isKept();
  const pair = new VersionPair(
    housed(previous, typesOfRunning),
    housed(candidate, typesOf),
  );
  const data = { previous: new ImageData(previous, true), candidate: new ImageData(candidate) };
  const unchanged = new ImageData(previous);
  const plans = planVariables(pair, previous, candidate);
  const words = new CarriedWords(pair, data.previous, data.candidate);
  takeInitial(plans, take, words);
  for (const plan of plans) if (plan.reason === undefined) words.examine(plan);
  followGuards(plans);
  const kept = plans.filter(({ reason }) => reason === undefined);
  const oldPointers = kept.flatMap(({ name, before: index, sizeBefore, oldPointers }) =>
    oldPointers.map(({ offset, before }) => {
      // A trampoline goes on leading into the old version, whose code it leads to.
      const value = readAddress(unchanged.at(offsetOf(previous, index!), sizeBefore), before);
      return { name, offset, value: BigInt(value) };
    })
  );
  if (treatment === "refuse" && oldPointers.length > 0) throw refusal(oldPointers);
  const carried: string[] = [], converted: ConvertedVariable[] = [];
  const matchedBySize: string[] = [], initialValueChanged: string[] = [];
  for (const plan of kept) {
    const { index, before, name, size, sizeBefore, type } = plan;
    const to = data.candidate.at(offsetOf(candidate, index), size);
    const place = offsetOf(previous, before!);
    copyValue(plan, data.previous.at(place, sizeBefore), to);
    for (const { offset, value } of plan.addresses) writeAddress(to, offset, value);
    const from = unchanged.at(place, sizeBefore);
    for (const { offset, before } of plan.oldPointers) writeAddress(to, offset, readAddress(from, before));
    if (plan.conversion === undefined) carried.push(name);
    else converted.push(conversionOf(name, plan.conversion));
    if (type?.isUnsure ?? candidate.file.symbols.typeId(index) === 0) {
      if (!pair.isIdentical) matchedBySize.push(name);
    }
    if (plan.hasOtherInitialValue) initialValueChanged.push(name);
  }
  return {
    carried,
    kept: [],
    tables: [],
    moved: [],
    unused: undefined,
    replacedCode: undefined,
    converted,
    fresh: plans.flatMap(({ name, reason }) => reason === undefined ? [] : [{ name, reason }]),
    oldPointers,
    matchedBySize,
    initialValueChanged,
    changedPointees: pair.changedPointees(
      kept.flatMap(({ name, type }) => type === undefined ? [] : [[name, type] as const]),
    ),
  };
}

/** Gives variables the reason to start with the new version's values. */
function takeInitial(
  plans: readonly CarryPlan[],
  take: readonly string[] | "unwritten",
  words: CarriedWords,
): void {
  if (take === "unwritten") {
    for (const plan of plans) {
      if (plan.reason === undefined && words.isUnwrittenAndChanged(plan)) plan.reason = TAKEN.unwritten;
    }
    return;
  }
  const names = new Set(take);
  for (const plan of plans) if (names.delete(plan.name)) plan.reason ??= TAKEN.byName;
  if (names.size > 0) throw cannotTake(names);
}

function isKept(): LoadError {
  return new LoadError(
    "Incompatible",
    "Cannot carry state: variables of the old version are in the memory of versions before it",
    { hint: 'reload with state: "keep" again, or with "fresh"' },
  );
}

function refusal(oldPointers: readonly OldPointer[]): LoadError {
  const names = [...new Set(oldPointers.map(({ name }) => name))];
  const [{ offset, value }] = oldPointers;
  return new LoadError(
    "Incompatible",
    "Cannot carry state: variables hold addresses in the old version that the new version has nothing for",
    {
      symbols: names,
      symbol: names[0],
      offset,
      value,
      hint: 'move these variables in `migrate`, name them in `take`, or reload with oldPointers: "keep"',
    },
  );
}
