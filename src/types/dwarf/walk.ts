/**
 * Walks over the entries of a unit in their order.
 */
import type { Abbreviation } from "./abbrev.ts";
import type { Unit } from "./unit.ts";

/** The callbacks of a walk. They may move the cursor of the unit. */
export interface Visitor {
  /** Called with where an entry starts, and its kind. Returns whether its children are visited, too. */
  enter(start: number, abbreviation: Abbreviation): boolean;
  /** Called with where the list of children of an entry ends. */
  leave?(end: number): void;
  /** Whether the rest of the unit is left out. */
  isDone?(): boolean;
}

/** Visits the entries directly in a unit, and the children of those that are entered. */
export function walkEntries(unit: Unit, visitor: Visitor): void {
  const root = unit.root();
  if (root === undefined || !root.hasChildren) return;
  const { cursor } = unit;
  let at = root.end;
  for (let depth = 1; depth > 0 && at < unit.end && !visitor.isDone?.(); at = cursor.at) {
    cursor.at = at;
    const code = cursor.uleb();
    if (code === 0) {
      depth--;
      visitor.leave?.(cursor.at);
      continue;
    }
    const attributes = cursor.at;
    const abbreviation = unit.abbreviation(code);
    if (visitor.enter(at, abbreviation) && abbreviation.hasChildren) {
      cursor.at = attributes;
      abbreviation.pass(cursor);
      depth++;
    } else {
      cursor.at = at;
      unit.skipEntry();
    }
  }
}
