/**
 * Finds the functions that use a variable, from references in code: what tells
 * apart variables whose names a compiler has numbered, or that share a name.
 *
 * Platforms: x86-64 only; code for other processors refers to variables through
 * registers, and nobody knows its users.
 */

import { type CodePiece, forEachReference } from "./code_references.ts";
import type { PlannedFile } from "./compatibility.ts";
import { functionName } from "./symbol_names.ts";
import { Arch, SymbolType } from "../smf/enums.ts";

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
  version: PlannedFile,
  wanted: readonly number[],
  code: (() => readonly CodePiece[]) | undefined,
): ReadonlyMap<number, string> {
  const texts = new Map<number, string>();
  const { file: { symbols, header } } = version;
  if (wanted.length === 0 || code === undefined || header.arch !== Arch.X86_64) return texts;
  const variables = sort(version, wanted);
  const functions = sort(version, functionsOf(version));
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

/** Stands for a function without a symbol. */
const UNKNOWN = "";

/** The functions that have a size. */
function functionsOf({ file: { symbols } }: PlannedFile): number[] {
  const functions: number[] = [];
  for (let index = 0; index < symbols.length; index++) {
    if (symbols.type(index) === SymbolType.Function && symbols.size(index) > 0) functions.push(index);
  }
  return functions;
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

/** The position of the last start that is not above `offset`; -1 if there is none. */
function lastUpTo(starts: Float64Array, offset: number): number {
  let low = 0, high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle] <= offset) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
