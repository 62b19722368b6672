/**
 * Carries the values of variables from one version of a module to the next.
 *
 * Variables match by name, size, type and version. A word in a variable that is
 * an address inside the old image becomes the address of the same symbol in the
 * new one; if the new one has no such symbol, the word is reported and the old
 * version stays.
 */

import { VersionPair } from "../image/version_pair.ts";
import { LoadError } from "../errors/load_error.ts";
import type { LoadedImage } from "../load/loader.ts";
import { type CarryPlan, followGuards, planVariables } from "./carry_plan.ts";
import { CarriedWords } from "./carried_words.ts";
import { codeOf, ImageData, offsetOf, readAddress, writeAddress } from "./image_data.ts";

/** A variable that starts with the new version's value, and the reason. */
export interface FreshVariable {
  /** The symbol's name. */
  readonly name: string;
  /** The mismatch, as a phrase for messages. */
  readonly reason: string;
}

/** A word that still points into the old version. */
export interface OldPointer {
  /** The variable that holds it. */
  readonly name: string;
  /** Its offset in the variable, in bytes. */
  readonly offset: number;
  /** The address. */
  readonly value: bigint;
}

/** The outcome of carrying variables. */
export interface CarryReport {
  /** The names of variables whose values were carried over. */
  readonly carried: readonly string[];
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
}

/** Options of carrying: which variables, and what to do about addresses that cannot be carried. */
export interface CarryOptions {
  /**
   * The variables that take the new version's initial values: these names, or
   * `unwritten`: all those that the program has never written and whose initial
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
  const pair = new VersionPair(
    { file: previous.file, plan: previous.plan, code: () => codeOf(previous) },
    { file: candidate.file, plan: candidate.plan, code: () => codeOf(candidate) },
  );
  const data = { previous: new ImageData(previous, true), candidate: new ImageData(candidate) };
  const unchanged = new ImageData(previous);
  const plans = planVariables(pair, previous, candidate);
  const words = new CarriedWords(pair, data.previous, data.candidate);
  takeInitial(plans, take, words);
  for (const plan of plans) if (plan.reason === undefined) words.examine(plan);
  followGuards(plans);
  const kept = plans.filter(({ reason }) => reason === undefined);
  const oldPointers = kept.flatMap(({ name, before, size, oldPointers }) =>
    oldPointers.map(({ offset }) => {
      // A trampoline goes on leading into the old version, whose code it leads to.
      const value = readAddress(unchanged.at(offsetOf(previous, before!), size), offset);
      return { name, offset, value: BigInt(value) };
    })
  );
  if (treatment === "refuse" && oldPointers.length > 0) throw refusal(oldPointers);
  const matchedBySize: string[] = [], initialValueChanged: string[] = [];
  for (const { index, before, name, size, addresses, oldPointers, hasOtherInitialValue } of kept) {
    const to = data.candidate.at(offsetOf(candidate, index), size);
    to.set(data.previous.at(offsetOf(previous, before!), size));
    for (const { offset, value } of addresses) writeAddress(to, offset, value);
    const from = unchanged.at(offsetOf(previous, before!), size);
    for (const { offset } of oldPointers) writeAddress(to, offset, readAddress(from, offset));
    if (candidate.file.symbols.typeId(index) === 0 && !pair.isIdentical) matchedBySize.push(name);
    if (hasOtherInitialValue) initialValueChanged.push(name);
  }
  return {
    carried: kept.map(({ name }) => name),
    fresh: plans.flatMap(({ name, reason }) => reason === undefined ? [] : [{ name, reason }]),
    oldPointers,
    matchedBySize,
    initialValueChanged,
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
      if (plan.reason === undefined && words.isUnwrittenAndChanged(plan)) plan.reason = UNWRITTEN;
    }
    return;
  }
  const names = new Set(take);
  for (const plan of plans) if (names.delete(plan.name)) plan.reason ??= "`take` names it";
  if (names.size === 0) return;
  throw new LoadError(
    "Incompatible",
    "Cannot take initial value: the new version has no variable of this name",
    {
      symbols: [...names],
      hint: "correct the names in `take`; smf nm FILE lists the variables of the new version",
    },
  );
}

const UNWRITTEN = "the program has not written it, and its initial value has changed";

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
