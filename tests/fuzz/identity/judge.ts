/**
 * Judges a reload from what the new version's variables hold: every value is that of the same variable of before,
 * or the initial one, and the report says which.
 */

import type { CarryReport } from "../../../mod.ts";
import {
  type Cell,
  type Cells,
  initialTarget,
  isConverted,
  isSameType,
  newCell,
  type Newest,
} from "./cells.ts";
import { describe, partNames, targetOf, type Variable, type Version } from "./model.ts";

/** Reads and writes variables of the version that serves. */
export interface Access {
  read(version: Version, variable: Variable, part: number): number;
  write(version: Version, variable: Variable, part: number, value: number): void;
}

/** The fate of a variable; `any` if its value does not tell. */
type Fate = "kept" | "fresh" | "moved" | "any";

/** The facts that are known before the module is asked. */
export interface Expected {
  /** The newest cells before the reload. */
  readonly newest: Newest;
  /** For a rollback: the cells that the version had. */
  readonly own: Cells | undefined;
  /** The cells of the version that served before. */
  readonly previous: Cells;
  /** Whether the compiler has told where each variable is declared, and gave each a section. */
  readonly isKnown: boolean;
}

/** The findings of a judgement. */
export interface Verdict {
  /** The cells of the version that serves. */
  readonly cells: Cells;
  readonly fates: ReadonlyMap<Variable, Fate>;
}

/** @throws {Error} that says which variable has what it must not have. */
export function judge(version: Version, access: Access, report: CarryReport, expected: Expected): Verdict {
  const { newest, own, previous, isKnown } = expected;
  const leaving = new Set(previous.values());
  const cells = new Map<Variable, Cell>(), fates = new Map<Variable, Fate>();
  for (const variable of version.variables) {
    const values = variable.initial.map((_, part) => access.read(version, variable, part));
    const found = fateOf(variable, values, newest.find(version, variable), own?.get(variable), report);
    // A variable that the version before did not have comes back: nothing says whether that is to keep it.
    if (own !== undefined && found.fate === "kept" && !leaving.has(found.cell)) found.fate = "any";
    cells.set(variable, found.cell);
    fates.set(variable, found.fate);
  }
  for (const [variable, cell] of cells) {
    if (own === undefined && (fates.get(variable) === "fresh" || fates.get(variable) === "moved")) {
      cell.target = initialTarget(version, cells, variable);
    }
  }
  for (const variable of version.variables) {
    if (targetOf(variable) !== undefined) judgePointer(version, variable, access, cells, fates, newest, own);
  }
  compareWithReport(version, fates, report);
  if (isKnown && own === undefined) {
    for (const [variable, fate] of fates) {
      const before = newest.find(version, variable);
      if (fate !== "fresh" || before === undefined || !leaving.has(before)) continue;
      if (!isPlain(variable, version.variables) || !isPlain(before.variable, [...previous.keys()])) continue;
      if (!isSameType(before.variable, variable) || before.variable.storage !== variable.storage) continue;
      const reasons = report.fresh.filter(({ name }) => sourceName(name) === variable.name);
      throw new Error(`${describe(variable)} could stay, but ${JSON.stringify(reasons)}`);
    }
  }
  return { cells, fates };
}

/** Whether nothing hinders a variable from staying: a number, and the only one of its name in its function. */
function isPlain(variable: Variable, variables: readonly Variable[]): boolean {
  const isLike = ({ file, inside, name }: Variable): boolean =>
    file === variable.file && inside?.name === variable.inside?.name && name === variable.name;
  return variable.shape.kind === "number" && variables.filter(isLike).length === 1;
}

function fateOf(
  variable: Variable,
  values: readonly number[],
  before: Cell | undefined,
  own: Cell | undefined,
  report: CarryReport,
): { cell: Cell; fate: Fate } {
  const text = values.join();
  const fresh = own ?? newCell(variable);
  if (variable.shape.kind === "pointer") {
    return {
      cell: before !== undefined && isSameType(before.variable, variable) ? before : fresh,
      fate: "any",
    };
  }
  const isFresh = text === fresh.values.join();
  if (own !== undefined && own === before) {
    if (isFresh) return { cell: own, fate: "kept" };
  } else if (before !== undefined) {
    const isSame = isSameType(before.variable, variable);
    // Without debug information only sizes are compared, and the report says so.
    const isMatchedBySize = !isSame && !isFresh &&
      report.matchedBySize.some((symbol) => sourceName(symbol) === variable.name);
    if (isMatchedBySize) return { cell: { ...fresh, values: [...values] }, fate: "kept" };
    if (isSame ? text === before.values.join() : isConverted(before, variable, values)) {
      if (isFresh) return { cell: fresh, fate: "any" };
      if (!isSame || own !== undefined) fresh.values.splice(0, Infinity, ...values);
      return isSame && own === undefined ? { cell: before, fate: "kept" } : { cell: fresh, fate: "moved" };
    }
  }
  if (isFresh) return { cell: fresh, fate: "fresh" };
  if (before !== undefined && hasParts(variable.name, report) && arePartly(before, variable, values, fresh)) {
    return { cell: { ...fresh, values: [...values] }, fate: "any" };
  }
  const had = before === undefined ? "nothing" : `[${before.values}] as ${describe(before.variable)}`;
  throw new Error(`${describe(variable)} holds [${values}], not [${fresh.values}]; before it held ${had}`);
}

function judgePointer(
  version: Version,
  variable: Variable,
  access: Access,
  cells: Map<Variable, Cell>,
  fates: Map<Variable, Fate>,
  newest: Newest,
  own: Cells | undefined,
): void {
  const { shape } = variable;
  const isPointer = shape.kind === "pointer";
  const value = access.read(version, variable, isPointer ? 0 : 1);
  const initial = own === undefined ? initialTarget(version, cells, variable) : own.get(variable)!.target;
  const before = newest.find(version, variable);
  const kept = before !== undefined && isSameType(before.variable, variable) ? before.target : undefined;
  const valueOf = (target: Cell["target"]) => target?.cell.values[target.part];
  if (isPointer && !shape.isConst) {
    const isFresh = value === valueOf(initial), isKept = value === valueOf(kept);
    if (isFresh !== isKept) {
      const cell = isKept ? before! : own?.get(variable) ?? newCell(variable);
      if (isFresh) cell.target = initial;
      cells.set(variable, cell);
      fates.set(variable, isKept ? "kept" : "fresh");
    }
    if (isFresh || isKept) return;
  } else {
    // Constants lead to the variables of their own version; a node has shown by its number which one it is.
    const expected = isPointer ? initialTarget(version, cells, variable) : cells.get(variable)!.target;
    if (isPointer) cells.set(variable, { ...newCell(variable), target: expected });
    if (value === valueOf(expected)) return;
    throw new Error(`${describe(variable)} leads to ${value}, not ${valueOf(expected)}`);
  }
  throw new Error(`${describe(variable)} leads to ${value}, not ${valueOf(initial)} nor ${valueOf(kept)}`);
}

/** Whether each number of a variable is that of a field of its own, from before or its initial one. */
function arePartly(
  before: Cell,
  variable: Variable,
  values: readonly number[],
  { values: initial }: Cell,
): boolean {
  const names = partNames(before.variable);
  return partNames(variable).every((name, part) => {
    const at = names.indexOf(name);
    return values[part] === initial[part] || at >= 0 && values[part] === before.values[at];
  });
}

/** The names of fields, and the endings of compilers. */
const PART = /^(?:\d+|[abc]|f\d+|value|next)$/;

/**
 * The name in the source text of a symbol: `n` of `f.n@a.c`, `n.0@a.o:…` and `n.b@a.o:…`, also of a field or an element
 * that a compiler has stored by itself, `n.f15@a.c` and `n[1]@a.c`.
 */
function sourceName(symbol: string): string {
  const parts = symbol.replace(/@.*/, "").replace(/\[.*/, "").split(".");
  return parts.findLast((part) => !PART.test(part))!;
}

/** Names are not identities, so the report is compared by the number of fates for each name. */
function compareWithReport(version: Version, fates: ReadonlyMap<Variable, Fate>, report: CarryReport): void {
  const lists: Record<Exclude<Fate, "any">, readonly string[]> = {
    kept: report.kept,
    moved: report.moved.map(({ name }) => name),
    fresh: report.fresh.map(({ name }) => name),
  };
  for (const name of new Set(version.variables.map(({ name }) => name))) {
    const own = version.variables.filter((each) => each.name === name);
    if (own.every(({ shape }) => shape.kind === "pointer" && shape.isConst)) continue;
    // Each part has a fate of its own.
    if (hasParts(name, report)) continue;
    const unsure = own.filter((each) => fates.get(each) === "any").length;
    for (const [fate, names] of Object.entries(lists)) {
      const reported = names.filter((symbol) => sourceName(symbol) === name).length;
      const seen = own.filter((each) => fates.get(each) === fate);
      // A compiler may split a variable into several symbols.
      if (reported >= seen.length && (reported <= seen.length + unsure || hasSplit(name, report))) continue;
      throw new Error(
        `${seen.length} variables '${name}' are ${fate} (${
          own.map((each) => `${fates.get(each)} ${describe(each)}`).join("; ")
        }), ${reported} are reported so: ${
          JSON.stringify([report.kept, report.fresh.map(({ name, reason }) => `${name}: ${reason}`)])
        }`,
      );
    }
  }
}

/** Whether a variable of this name has a second symbol, with a number. */
function hasSplit(name: string, report: CarryReport): boolean {
  return symbolsOf(name, report).some((symbol) => /\.1(?:@|$)/.test(symbol));
}

/** Whether fields or elements of a variable of this name are variables of their own. */
function hasParts(name: string, report: CarryReport): boolean {
  return symbolsOf(name, report).some((symbol) => /(?:\.(?:[ac]|f\d+|value|next)|\])(?:@|$)/.test(symbol));
}

function symbolsOf(name: string, { kept, fresh, moved }: CarryReport): string[] {
  const symbols = [...kept, ...[...fresh, ...moved].map((each) => each.name)];
  return symbols.filter((symbol) => sourceName(symbol) === name);
}
