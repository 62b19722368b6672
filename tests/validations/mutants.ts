/**
 * Finds the validations of a source file, and puts a switch at each, so that
 * one text is all the mutants: `globalThis.MUTANT` is the number of the one
 * that is off.
 *
 * | what is a validation | what is left of it |
 * |---|---|
 * | `throw …;` | nothing |
 * | `problems.add(…);` | nothing |
 * | `report(…);`, `refuse(…);` | nothing |
 * | `return Patch.OutOfRange;` and its like | nothing |
 * | `return refuse(…);`, `return inName(…);` | nothing |
 * | `return stopAt(…);`, `return at / step;`, by which loops end early | nothing |
 * | an operand of `\|\|` in an `if` whose body is one of those | `false` |
 * | an operand of `&&` in `const named = …;`, which such an `if` asks | `true` |
 */

/** A validation. */
export interface Validation {
  /** Its number: what `MUTANT` is when it is off. */
  readonly number: number;
  /** Itself, on one line. */
  readonly what: string;
  /** The line it stands on, from 1. */
  readonly line: number;
}

/** A text with switches. */
export interface Switchable {
  readonly text: string;
  readonly validations: readonly Validation[];
}

const STATEMENT =
  /\bthrow\b(?! error;| caught;)|(?:this\.)?[#\w.]*problems\.add\(|(?<=[;{})]\s*)\b(?:report|refuse)\(|\breturn (?:Patch\.(?!Done)\w+;|(?:refuse|inName|stopAt)\(|at \/ step;)/g;

interface Place {
  readonly from: number;
  readonly to: number;
  /** What stands before and behind it, given its number. */
  readonly around: (number: number) => readonly [before: string, behind: string];
}

/**
 * Puts a switch at every validation of a text.
 *
 * @param first The number of the first.
 */
export function switchable(text: string, first: number): Switchable {
  const validations: Validation[] = [];
  let rest = text, done = text.length;
  const places = placesIn(blanked(text));
  // From the end, so that places stay where they are.
  places.forEach(({ from, to, around }, index) => {
    if (to > done) throw new Error("Cannot put a switch into another one");
    const number = first + places.length - 1 - index;
    const [before, behind] = around(number);
    rest = rest.slice(0, from) + before + text.slice(from, to) + behind + rest.slice(to);
    const line = text.slice(0, from).split("\n").length;
    validations.unshift({ number, what: text.slice(from, to).replace(/\s+/g, " "), line });
    done = from;
  });
  return { text: rest, validations };
}

/** Where validations are, last first. */
function placesIn(plain: string): Place[] {
  const places: Place[] = [];
  for (const { index } of plain.matchAll(STATEMENT)) {
    places.push({
      from: index,
      to: endOfStatement(plain, index),
      around: (number) => [`{ if (globalThis.MUTANT !== ${number}) `, " }"],
    });
    for (const [from, to] of operands(plain, conditionBefore(plain, index), "||")) {
      places.push({ from, to, around: (number) => [`(globalThis.MUTANT !== ${number} && (`, "))"] });
    }
  }
  for (const { index, 0: { length } } of plain.matchAll(/\bconst named = /g)) {
    const stretch = [index + length, endOfStatement(plain, index) - 1] as const;
    for (const [from, to] of operands(plain, stretch, "&&")) {
      places.push({ from, to, around: (number) => [`(globalThis.MUTANT === ${number} || (`, "))"] });
    }
  }
  return places.sort((a, b) => b.from - a.from);
}

/** Where the statement that begins here ends: behind its semicolon. */
function endOfStatement(plain: string, start: number): number {
  let depth = 0;
  for (let at = start; at < plain.length; at++) {
    if ("([{".includes(plain[at])) depth++;
    else if (")]}".includes(plain[at])) depth--;
    else if (plain[at] === ";" && depth === 0) return at + 1;
  }
  throw new Error("Cannot find the end of a statement");
}

type Stretch = readonly [from: number, to: number];

/** What stands in the parentheses of the `if` of which this is the body, or the first statement of the body. */
function conditionBefore(plain: string, at: number): Stretch | undefined {
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

/** The operands of a chain of one operator, without the spaces around them; none if it is no chain. */
function operands(plain: string, stretch: Stretch | undefined, operator: "||" | "&&"): Stretch[] {
  if (stretch === undefined) return [];
  const found: Stretch[] = [];
  let depth = 0, from = stretch[0];
  const take = (to: number): void => {
    const operand = plain.slice(from, to);
    const leading = operand.length - operand.trimStart().length;
    found.push([from + leading, from + leading + operand.trim().length]);
  };
  for (let at = stretch[0]; at < stretch[1]; at++) {
    if ("([{".includes(plain[at])) depth++;
    else if (")]}".includes(plain[at])) depth--;
    else if (depth === 0 && plain.startsWith(operator, at)) {
      take(at);
      from = at + 2;
    }
  }
  if (found.length === 0) return [];
  take(stretch[1]);
  return found;
}

/** The text with comments, strings and regular expressions replaced by underscores, nothing moved. */
export function blanked(text: string): string {
  const token =
    /\/\*[^]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<=[(,=:[!&|?{};]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/\w*/;
  let plain = "";
  const blank = (length: number): void => {
    plain += "_".repeat(length);
  };
  // Template literals nest: those that are open, each with the depth of braces in its current hole.
  const holes: number[] = [];
  for (let at = 0; at < text.length;) {
    const inTemplate = holes.length > 0 && holes[holes.length - 1] === 0;
    const character = text[at];
    if (inTemplate) {
      if (character === "\\") blank(2);
      else if (character === "`") {
        holes.pop();
        blank(1);
      } else if (text.startsWith("${", at)) {
        holes[holes.length - 1] = 1;
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
        holes.push(0);
        blank(1);
      } else {
        if (holes.length > 0 && character === "{") holes[holes.length - 1]++;
        if (holes.length > 0 && character === "}") holes[holes.length - 1]--;
        plain += character;
      }
    }
    at = plain.length;
  }
  return plain;
}
