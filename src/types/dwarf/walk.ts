/**
 * Walks over the entries of a unit in their order.
 */
import { damaged } from "../damaged.ts";
import type { Abbreviation } from "./abbrev.ts";
import type { Unit } from "./unit.ts";

/** The callbacks of a walk. They may move the cursor of the unit. */
export interface Visitor {
  /**
   * Called with where an entry starts, its kind, and where its attributes end. Returns whether its children are
   * visited, too.
   */
  enter(start: number, abbreviation: Abbreviation, behind: number): boolean;
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
    const abbreviation = unit.abbreviation(code);
    abbreviation.pass(cursor);
    const behind = cursor.at;
    if (!abbreviation.hasChildren) {
      visitor.enter(at, abbreviation, behind);
      cursor.at = behind;
    } else if (visitor.enter(at, abbreviation, behind)) {
      cursor.at = behind;
      depth++;
    } else cursor.at = unit.endOf(at);
    if (cursor.at > unit.end) throw damaged("an entry passes the end of its unit");
  }
}
