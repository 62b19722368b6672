/**
 * Finds the functions that use a variable, from references in code: what tells
 * apart variables whose names a compiler has numbered, or that share a name.
 *
 * Platforms: on x86-64, and on all processors for variables that have homes. Other
 * code refers to variables through registers, and nobody knows its users.
 */

import { isInside } from "./arrange.ts";
import { type CodePiece, forEachReference, operandEnd } from "./code_references.ts";
import { functionsOf, type PlannedFile } from "./compatibility.ts";
import { HomePlaces, type HousedFile } from "./homes/places.ts";
import { lastUpTo } from "../smf/search.ts";
import { functionName } from "./symbol_names.ts";
import { Arch } from "../smf/enums.ts";

/** Symbols in the order of their places. */
interface Sorted {
  readonly indices: readonly number[];
  readonly starts: Float64Array;
}

/**
 * Finds the users of variables.
 *
 * @param wanted The variables' symbol indices.
 * @param code Returns the code of the image; undefined if it cannot be read.
 * @returns for each variable a text that names all its users, the same in each version; absent if none is known.
 */
export function usersOf(
  version: HousedFile,
  wanted: readonly number[],
  code: (() => readonly CodePiece[]) | undefined,
): ReadonlyMap<number, string> {
  const { file: { symbols, header } } = version;
  const housed = inHomes(version, wanted);
  const texts = housed.size === 0 ? new Map<number, string>() : usersOfHomes(version, housed, code);
  if (housed.size > 0) wanted = wanted.filter((index) => !housed.has(index));
  if (wanted.length === 0 || code === undefined || header.arch !== Arch.X86_64) return texts;
  const variables = sort(version, wanted);
  const functions = sort(version, sizedFunctions(version));
  const endOf = ({ indices, starts }: Sorted, at: number): number => starts[at] + symbols.size(indices[at]);
  const users = new Map<number, Set<string>>();
  const first = variables.starts[0];
  const end = variables.starts[variables.starts.length - 1] + symbols.size(variables.indices.at(-1)!);
  for (const piece of code()) {
    forEachReference(piece, first, end, (from, target) => {
      const at = lastUpTo(variables.starts, target);
      if (at < 0 || target >= endOf(variables, at)) return;
      const user = lastUpTo(functions.starts, from);
      const isKnown = user >= 0 && from < endOf(functions, user);
      const name = isKnown ? functionName(symbols.name(functions.indices[user])) : UNKNOWN;
      const index = variables.indices[at];
      let names = users.get(index);
      if (names === undefined) users.set(index, names = new Set());
      names.add(name);
    });
  }
  for (const [index, names] of users) {
    if (!names.has(UNKNOWN)) texts.set(index, [...names].sort().join("\0"));
  }
  return texts;
}

/** The variables that have homes. */
function inHomes(version: HousedFile, wanted: readonly number[]): Set<number> {
  const housed = new Set<number>();
  if ((version.homes?.length ?? 0) === 0) return housed;
  const places = HomePlaces.of(version);
  for (const index of wanted) if (places.at(version.file.symbols.value(index)) >= 0) housed.add(index);
  return housed;
}

/**
 * Finds the users of variables that have homes: every reference to one has a relocation. Where several share a home,
 * its addend says which is meant, but on x86-64 only: other processors reach one variable from another.
 */
function usersOfHomes(
  version: HousedFile,
  wanted: ReadonlySet<number>,
  code: (() => readonly CodePiece[]) | undefined,
): Map<number, string> {
  const { file: { symbols, relocations, header }, plan } = version;
  const places = HomePlaces.of(version);
  const homes = new Set([...wanted].map((index) => places.at(symbols.value(index))));
  const pieces = header.arch === Arch.X86_64 ? code?.() ?? [] : [];
  const users = new Map<number, Set<string>>();
  const functions = sort(version, sizedFunctions(version));
  for (let index = 0; index < relocations.length; index++) {
    const home = places.ofSymbol(relocations.symbol(index));
    if (!homes.has(home)) continue;
    const at = plan.place(relocations.offset(index), 0);
    const user = lastUpTo(functions.starts, at);
    const isKnown = user >= 0 && at < functions.starts[user] + symbols.size(functions.indices[user]);
    // A word of another variable tells nothing: its own name may be numbered.
    if (!isKnown && !isInside(plan.code, at)) continue;
    const name = isKnown ? functionName(symbols.name(functions.indices[user])) : UNKNOWN;
    const variables = places.variables[home];
    let meant: readonly number[] = variables;
    if (variables.length > 1) {
      const piece = pieces.find(({ offset, bytes }) => at >= offset && at + 4 <= offset + bytes.length);
      const target = piece === undefined
        ? undefined
        : symbols.value(relocations.symbol(index)) + Number(relocations.addend(index)) +
          operandEnd(piece.bytes, at - piece.offset);
      const found = target === undefined ? undefined : variables.find((each) => {
        const distance = target - symbols.value(each);
        return distance >= 0 && distance < symbols.size(each);
      });
      if (found !== undefined) meant = [found];
    }
    for (const each of meant) {
      let names = users.get(each);
      if (names === undefined) users.set(each, names = new Set());
      names.add(meant.length > 1 ? UNKNOWN : name);
    }
  }
  const texts = new Map<number, string>();
  for (const index of wanted) {
    const names = users.get(index);
    if (names !== undefined && !names.has(UNKNOWN)) texts.set(index, [...names].sort().join("\0"));
  }
  return texts;
}

/** Stands for a function without a symbol. */
const UNKNOWN = "";

/** The functions that have a size. */
function sizedFunctions({ file }: PlannedFile): number[] {
  return Array.from(functionsOf(file)).filter((index) => file.symbols.size(index) > 0);
}

/** Sorts symbols by place; of several in one place the first name counts, so that it is the same in each version. */
function sort({ file: { symbols }, plan }: PlannedFile, wanted: readonly number[]): Sorted {
  const places = new Map<number, number>();
  for (const index of wanted) {
    const place = plan.place(symbols.value(index), 0);
    const other = places.get(place);
    if (other === undefined || symbols.name(index) < symbols.name(other)) places.set(place, index);
  }
  const starts = Float64Array.from(places.keys()).sort();
  return { starts, indices: Array.from(starts, (start) => places.get(start)!) };
}
