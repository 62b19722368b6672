/**
 * Finds the validations of a source file and inserts a switch at each, so that one
 * text contains all mutants: `globalThis.MUTANT` is the number of the validation
 * that is switched off.
 *
 * | validation | replacement when switched off |
 * |---|---|
 * | `throw …;` | nothing |
 * | `problems.add(…);` | nothing |
 * | `report(…);`, `refuse(…);` | nothing |
 * | `return Patch.OutOfRange;` and other failures of a patch | nothing |
 * | `return refuse(…);`, `return inName(…);` | nothing |
 * | `return stopAt(…);`, `return at / step;`, which end loops early | nothing |
 * | an operand of `\|\|` in an `if` whose body is one of these | `false` |
 * | an operand of `&&` in `const named = …;`, which such an `if` tests | `true` |
 */

/** A validation in a source text. */
export interface Validation {
  /** The value of `MUTANT` that switches it off. */
  readonly number: number;
  /** Its source text, on one line. */
  readonly what: string;
  /** Its line number, from 1. */
  readonly line: number;
}

/** A text with switches, and its validations in order. */
export interface Switchable {
  readonly text: string;
  readonly validations: readonly Validation[];
}

const STATEMENT =
  /\bthrow\b(?! error;| caught;)|(?:this\.)?[#\w.]*problems\.add\(|(?<=[;{})]\s*)\b(?:report|refuse)\(|\breturn (?:Patch\.(?!Done)\w+;|(?:refuse|inName|stopAt)\(|at \/ step;)/g;

interface Site {
  readonly from: number;
  readonly to: number;
  /** The text to insert before and behind it, given its number. */
  readonly wrap: (number: number) => readonly [before: string, behind: string];
}

/**
 * Inserts a switch at every validation of a text.
 *
 * @param first The number of the first validation.
 */
export function switchable(text: string, first: number): Switchable {
  const validations: Validation[] = [];
  let rest = text, done = text.length;
  const sites = sitesIn(blanked(text));
  // From the end, so that earlier offsets stay valid.
  sites.forEach(({ from, to, wrap }, index) => {
    if (to > done) throw new Error("Cannot put a switch into another one");
    const number = first + sites.length - 1 - index;
    const [before, behind] = wrap(number);
    rest = rest.slice(0, from) + before + text.slice(from, to) + behind + rest.slice(to);
    const line = text.slice(0, from).split("\n").length;
    validations.unshift({ number, what: text.slice(from, to).replace(/\s+/g, " "), line });
    done = from;
  });
  return { text: rest, validations };
}

/** The validations of a text whose strings and comments are blanked, last first. */
function sitesIn(plain: string): Site[] {
  const sites: Site[] = [];
  for (const { index } of plain.matchAll(STATEMENT)) {
    sites.push({
      from: index,
      to: endOfStatement(plain, index),
      wrap: (number) => [`{ if (globalThis.MUTANT !== ${number}) `, " }"],
    });
    for (const [from, to] of operands(plain, conditionBefore(plain, index), "||")) {
      sites.push({ from, to, wrap: (number) => [`(globalThis.MUTANT !== ${number} && (`, "))"] });
    }
  }
  for (const { index, 0: { length } } of plain.matchAll(/\bconst named = /g)) {
    const range = [index + length, endOfStatement(plain, index) - 1] as const;
    for (const [from, to] of operands(plain, range, "&&")) {
      sites.push({ from, to, wrap: (number) => [`(globalThis.MUTANT === ${number} || (`, "))"] });
    }
  }
  return sites.sort((a, b) => b.from - a.from);
}

/** The offset behind the semicolon that ends the statement at `start`. */
function endOfStatement(plain: string, start: number): number {
  let depth = 0;
  for (let at = start; at < plain.length; at++) {
    if ("([{".includes(plain[at])) depth++;
    else if (")]}".includes(plain[at])) depth--;
    else if (plain[at] === ";" && depth === 0) return at + 1;
  }
  throw new Error("Cannot find the end of a statement");
}

type Range = readonly [from: number, to: number];

/** The condition of the `if` whose body is, or begins with, the statement at `at`. */
function conditionBefore(plain: string, at: number): Range | undefined {
  const closed = /\)\s*(?:\{\s*)?$/.exec(plain.slice(0, at));
  if (closed === null) return undefined;
  let depth = 0;
  for (let open = closed.index; open >= 0; open--) {
    if (plain[open] === ")") depth++;
    else if (plain[open] === "(" && --depth === 0) {
      return /\bif\s*$/.test(plain.slice(0, open)) ? [open + 1, closed.index] : undefined;
    }
  }
  return undefined;
}

/** The operands of a chain of one operator, without surrounding spaces; none if there is no such operator. */
function operands(plain: string, range: Range | undefined, operator: "||" | "&&"): Range[] {
  if (range === undefined) return [];
  const found: Range[] = [];
  let depth = 0, from = range[0];
  const take = (to: number): void => {
    const operand = plain.slice(from, to);
    const leading = operand.length - operand.trimStart().length;
    found.push([from + leading, from + leading + operand.trim().length]);
  };
  for (let at = range[0]; at < range[1]; at++) {
    if ("([{".includes(plain[at])) depth++;
    else if (")]}".includes(plain[at])) depth--;
    else if (depth === 0 && plain.startsWith(operator, at)) {
      take(at);
      from = at + 2;
    }
  }
  if (found.length === 0) return [];
  take(range[1]);
  return found;
}

/** Replaces comments, strings and regular expressions by underscores, of the same length. */
export function blanked(text: string): string {
  const token =
    /\/\*[^]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<=[(,=:[!&|?{};]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/\w*/;
  let plain = "";
  const blank = (length: number): void => {
    plain += "_".repeat(length);
  };
  // Template literals nest: for each open one, the depth of braces in its current substitution.
  const depths: number[] = [];
  for (let at = 0; at < text.length;) {
    const inTemplate = depths.length > 0 && depths[depths.length - 1] === 0;
    const character = text[at];
    if (inTemplate) {
      if (character === "\\") blank(2);
      else if (character === "`") {
        depths.pop();
        blank(1);
      } else if (text.startsWith("${", at)) {
        depths[depths.length - 1] = 1;
        plain += "_{";
      } else blank(1);
      at = plain.length;
      continue;
    }
    const sticky = new RegExp(token, "y");
    sticky.lastIndex = at;
    const found = sticky.exec(text)?.[0];
    if (found !== undefined) blank(found.length);
    else {
      if (character === "`") {
        depths.push(0);
        blank(1);
      } else {
        if (depths.length > 0 && character === "{") depths[depths.length - 1]++;
        if (depths.length > 0 && character === "}") depths[depths.length - 1]--;
        plain += character;
      }
    }
    at = plain.length;
  }
  return plain;
}
