/**
 * Names in messages: lists of bounded length, and the known name that somebody
 * may have meant.
 */

import { demangle } from "../demangle/mod.ts";
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** The number of names that a message lists; `data.symbols` has all of them. */
export const LISTED_NAMES = 8;

/**
 * Lists names for a message: the first {@linkcode LISTED_NAMES} in quotation
 * marks, and the number of the others.
 *
 * @param note Follows a listed name, such as a suggestion.
 */
export function listNames(names: readonly string[], note: (name: string) => string = () => ""): string {
  const listed = names.slice(0, LISTED_NAMES).map((name) => `'${name}'${note(name)}`).join(", ");
  const more = names.length - LISTED_NAMES;
  return more > 0 ? `${listed} and ${more} more` : listed;
}

/** How many letters of a suggested name may differ, as a share of the given name's length. */
const MAX_DIFFERENCE = 1 / 3;

/** The most names that one search compares letter by letter: a hint is not worth seconds. */
const MAX_COMPARISONS = 100_000;

/** Finds the nearest of many known names; all searches together have a bound. */
export class NameSearch {
  readonly #known: ReadonlySet<string>;
  #comparisons = 0;

  constructor(known: Iterable<string>) {
    this.#known = new Set(known);
  }

  /** The known name that differs least; undefined if all differ by more than a third. */
  nearest(name: string): string | undefined {
    let nearest: string | undefined;
    // A letter that is missing or too many counts in short names, too.
    let limit = name.length < 2 ? 0 : Math.max(1, Math.floor(name.length * MAX_DIFFERENCE));
    for (const candidate of this.#known) {
      if (limit < 0 || this.#comparisons >= MAX_COMPARISONS) break;
      if (Math.abs(candidate.length - name.length) > limit) continue;
      this.#comparisons++;
      const distance = isSwapped(name, candidate) ? 1 : levenshteinDistance(name, candidate);
      if (distance > limit) continue;
      nearest = candidate;
      limit = distance - 1;
    }
    return nearest;
  }
}

/** The most names that one search demangles. */
const MAX_DEMANGLED = 10_000;

/**
 * The symbol that somebody may have meant: the nearest by its letters, or the one that has this name in its source
 * (`geo::scale` for `_ZN3geo5scaleEi`).
 */
export function nearestSymbol(given: string, symbols: Iterable<string>): string | undefined {
  const known = [...symbols];
  const near = new NameSearch(known).nearest(given);
  if (near !== undefined) return near;
  return known.slice(0, MAX_DEMANGLED).find((symbol) => {
    const name = demangle(symbol);
    const at = name?.indexOf(given) ?? -1;
    const before = name?.charAt(at - 1), behind = name?.charAt(at + given.length);
    return at >= 0 && /^[ :]?$/.test(before!) && /^[(<[]?$/.test(behind!);
  });
}

/** Whether two neighbouring letters are the wrong way round, and nothing else differs. */
function isSwapped(a: string, b: string): boolean {
  if (a.length !== b.length || a === b) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2);
}

/** A suggestion as a message ends with it; nothing if there is none. */
export function didYouMean(name: string | undefined): string {
  return name === undefined ? "" : ` (did you mean '${name}'?)`;
}

/** The fewest letters by which a word stands for a longer one. */
const MIN_COMMON_LETTERS = 3;

/**
 * The word of a short list that somebody may have meant: the nearest whatever
 * the case, or the one with the longest common beginning.
 */
export function nearestWord(given: string, words: readonly string[]): string | undefined {
  const lower = given.toLowerCase();
  const near = new NameSearch(words.map((word) => word.toLowerCase())).nearest(lower);
  if (near !== undefined) return words.find((word) => word.toLowerCase() === near);
  let best: string | undefined;
  let longest = MIN_COMMON_LETTERS - 1;
  for (const word of words) {
    const common = commonLetters(lower, word.toLowerCase());
    if (common > longest) [best, longest] = [word, common];
  }
  return best;
}

function commonLetters(a: string, b: string): number {
  let count = 0;
  while (count < a.length && count < b.length && a[count] === b[count]) count++;
  return count;
}
