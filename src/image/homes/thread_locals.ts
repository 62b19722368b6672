/**
 * Decides whether a new version can use the TLS blocks of an old one: pure. Code counts the distances inside a block,
 * so the block stays as a whole, or each version has its own.
 */

import { isThreadLocal, type PlannedFile, symbolsOfType } from "../compatibility.ts";
import type { VersionPair } from "../version_pair.ts";
import { baseName, isOfUnchangedObject } from "../symbol_names.ts";
import { RelocationType, SymbolType } from "../../smf/enums.ts";
import type { FollowedVariable, HousedVersion } from "./fates.ts";

/** The thread-local variables of a version that are those of the version before, or why they are not. */
export type ThreadLocalFate =
  | { readonly variables: readonly FollowedVariable[]; readonly reason?: undefined }
  | { readonly variables?: undefined; readonly reason: string };

const OTHERS = "it is thread-local, and such variables have other names, sizes or places now";
const NUMBERED = "it is thread-local, and names of such variables are not unique, or compilers number them";

/** The indices of the thread-local variables of a file, by their places. */
export function threadLocalsOf(planned: PlannedFile): number[] {
  const { symbols } = planned.file;
  const found = symbolsOfType(symbols, SymbolType.Data).filter((index) => isThreadLocal(planned, index));
  return found.sort((left, right) => symbols.value(left) - symbols.value(right));
}

/** Compares the TLS blocks of two versions. */
export function followThreadLocals(
  pair: VersionPair,
  before: HousedVersion,
  after: HousedVersion,
): ThreadLocalFate {
  const [old, now] = [before, after].map((version) => ({
    symbols: version.file.symbols,
    block: version.plan.threadLocals!,
    variables: threadLocalsOf(version),
  }));
  const isSameBlock = old.block.section.virtualSize === now.block.section.virtualSize &&
    old.block.section.alignment === now.block.section.alignment &&
    old.variables.length === now.variables.length;
  const names = new Set<string>();
  const variables = now.variables.map((index, at): FollowedVariable => {
    const name = now.symbols.name(index);
    names.add(name);
    const was = old.variables[at];
    return { index, name, before: was, plan: was === undefined ? undefined : pair.typed?.plan(was, index) };
  });
  const isSame = isSameBlock &&
    variables.every(({ index, name, before: was }) =>
      old.symbols.name(was) === name && old.symbols.size(was) === now.symbols.size(index) &&
      old.symbols.value(was) - old.block.offset === now.symbols.value(index) - now.block.offset
    );
  const changed = variables.find(({ plan }) => plan !== undefined && plan.fate !== "same");
  if (isSame && changed !== undefined) {
    return { reason: `it is thread-local, and the type of '${changed.name}' has changed` };
  }
  const isUnclear = names.size < variables.length || variables.some(({ name }) => baseName(name) !== name);
  if (!isSame) return { reason: isUnclear ? NUMBERED : OTHERS };
  // A name of an object that has not changed means what it meant, whoever counted it.
  const isCounted = names.size < variables.length ||
    variables.some(({ name }) => baseName(name) !== name && !isOfUnchangedObject(name));
  if (!pair.isIdentical && isCounted) return { reason: NUMBERED };
  if (!isNamedWholly(after, variables)) {
    return { reason: "it is thread-local, and beside such variables are others without names" };
  }
  if (hasAddresses(before) || hasAddresses(after)) {
    return { reason: "it is thread-local, and initial values of such variables are addresses" };
  }
  return { variables };
}

/** Whether variables cover a block but for less than 16 bytes between two. */
function isNamedWholly(
  { file: { symbols }, plan: { threadLocals } }: HousedVersion,
  variables: readonly FollowedVariable[],
): boolean {
  const { offset, section: { virtualSize } } = threadLocals!;
  let end = offset;
  for (const { index } of variables) {
    const start = symbols.value(index);
    if (start - end >= 16) return false;
    end = Math.max(end, start + symbols.size(index));
  }
  return offset + virtualSize - end < 16;
}

/** Whether new threads would begin with addresses of a version's functions and variables. */
function hasAddresses({ file: { relocations }, plan }: HousedVersion): boolean {
  for (let index = 0; index < relocations.length; index++) {
    const isAddress = relocations.type(index) === RelocationType.Abs64;
    if (isAddress && plan.isThreadLocal(relocations.offset(index))) return true;
  }
  return false;
}
