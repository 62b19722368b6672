/**
 * Thread-local variables that stay in the TLS blocks of an earlier version: the new version's code is led there.
 */

import type { FollowedVariable, HousedVersion } from "../../image/homes/fates.ts";
import { followThreadLocals, threadLocalsOf } from "../../image/homes/thread_locals.ts";
import type { VersionPair } from "../../image/version_pair.ts";
import { blocksLibrary, type LoadedImage } from "../../load/loader.ts";
import { equal } from "../../smf/equal.ts";

/** The plan for the thread-local variables of a new version. */
export interface ThreadLocalKeep {
  /** The library of the TLS blocks that stay; undefined if the new version has its own. */
  readonly library: string | undefined;
  /** The variables in them; empty if the new version has its own. */
  readonly variables: readonly FollowedVariable[];
  /** Why it has its own. */
  readonly reason: string | undefined;
  /** The names of those that have another initial value in the new version. */
  readonly otherInitialValues: readonly string[];
}

/** Plans the thread-local variables of a candidate; undefined if it has none. */
export function planThreadLocals(
  pair: VersionPair,
  before: HousedVersion,
  after: HousedVersion,
  previous: LoadedImage,
): ThreadLocalKeep | undefined {
  if (after.plan.threadLocals === undefined) return undefined;
  const own = (reason: string): ThreadLocalKeep => ({
    library: undefined,
    variables: [],
    reason,
    otherInitialValues: [],
  });
  const library = blocksLibrary(previous);
  if (before.plan.threadLocals === undefined) {
    return own("it is thread-local, and the old version has no such variable");
  }
  if (library === undefined) return own("it is thread-local, and the old version's block cannot stay");
  const { variables, reason } = followThreadLocals(pair, before, after);
  if (variables === undefined) return own(reason);
  const otherInitialValues = variables.filter(({ before: was, index }) =>
    !equal(initialValue(before, was), initialValue(after, index))
  );
  return {
    library,
    variables,
    reason: undefined,
    otherInitialValues: otherInitialValues.map(({ name }) => name),
  };
}

/** Describes the thread-local variables of an earlier version that serves again. */
export function rolledBackThreadLocals(
  previous: LoadedImage,
  candidate: LoadedImage,
): ThreadLocalKeep | undefined {
  if (candidate.plan.threadLocals === undefined) return undefined;
  const library = blocksLibrary(candidate), { symbols } = candidate.file;
  if (library === undefined || library !== blocksLibrary(previous)) {
    const reason = "it is thread-local; it has the values that it had in that version";
    return { library: undefined, variables: [], reason, otherInitialValues: [] };
  }
  const variables = threadLocalsOf(candidate).map((index) => ({
    index,
    name: symbols.name(index),
    before: index,
    plan: undefined,
  }));
  return { library, variables, reason: undefined, otherInitialValues: [] };
}

function initialValue({ file: { symbols }, plan, constantsAt }: HousedVersion, index: number): Uint8Array {
  return constantsAt!(plan.place(symbols.value(index), 0), symbols.size(index));
}
