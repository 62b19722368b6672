/**
 * The values of the variables of a running module, as its source text has them: one cell for each variable that was
 * ever made, whichever versions use it.
 */

import {
  identitiesOf,
  partNames,
  partsOf,
  targetOf,
  typeOfPart,
  typeText,
  type Variable,
  type Version,
} from "./model.ts";

/** The memory of one variable. */
export interface Cell {
  /** The declaration of the version that made it. */
  readonly variable: Variable;
  readonly values: number[];
  /** The cell that its pointer leads to, and the part of it. */
  target: { readonly cell: Cell; readonly part: number } | undefined;
}

/** The cells of one version, by its variables. */
export type Cells = ReadonlyMap<Variable, Cell>;

/** Makes new cells with initial values; their pointers lead nowhere so far. */
export function newCell(variable: Variable): Cell {
  return { variable, values: [...variable.initial], target: undefined };
}

/** The cell of a pointer's target among those of a version. */
export function initialTarget(version: Version, cells: Cells, variable: Variable): Cell["target"] {
  const target = targetOf(variable);
  if (target === undefined) return undefined;
  const found = version.variables.find(({ id }) => id === target.id)!;
  return { cell: cells.get(found)!, part: target.part };
}

/** The newest cell of each identity. */
export class Newest {
  readonly #cells = new Map<string, Cell>();

  find(version: Version, variable: Variable): Cell | undefined {
    for (const identity of identitiesIn(version, variable)) {
      const cell = this.#cells.get(identity);
      if (cell !== undefined) return cell;
    }
    return undefined;
  }

  /** Enters the cells of the version that serves now. */
  enter(version: Version, cells: Cells): void {
    for (const [variable, cell] of cells) {
      for (const identity of identitiesIn(version, variable)) this.#cells.set(identity, cell);
    }
  }
}

/** The identities of a variable in its version: blocks do not matter where a function has one variable of a name. */
export function identitiesIn({ variables }: Version, variable: Variable): string[] {
  const own = identitiesOf(variable);
  const { block: _, ...plain } = variable;
  const isOnly = variables.every((each) =>
    each === variable || each.inside !== variable.inside || each.name !== variable.name
  );
  if (!isOnly) return own;
  return variable.block === undefined ? own : [...own, ...identitiesOf(plain)];
}

/**
 * Whether values are those of a variable that had another type before: parts of the same name follow, those whose type
 * has changed may start anew.
 */
export function isConverted(from: Cell, to: Variable, values: readonly number[]): boolean {
  const names = partNames(from.variable);
  let hasFollowed = false;
  const isPossible = partNames(to).every((name, part) => {
    const at = names.indexOf(name), value = values[part];
    if (at >= 0 && value === from.values[at]) return hasFollowed = true;
    const isSame = at >= 0 && typeOfPart(from.variable, at) === typeOfPart(to, part);
    return !isSame && value === to.initial[part];
  });
  return isPossible && hasFollowed;
}

/** Whether two declarations have the same type, also of a flag, whose type does not tell that it is one. */
export function isSameType(first: Variable, second: Variable): boolean {
  // The tag of a struct does not matter where its fields are the same.
  const [one, other] = [first, second].map((each) => typeText(each).replace(/struct s\d+/, "struct"));
  return one === other && partsOf(first) === partsOf(second);
}
