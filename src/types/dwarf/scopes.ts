/**
 * The namespaces and classes of a unit, for the full names of what is in them.
 */
import { Tag } from "./constants.ts";
import type { Entry, Unit } from "./unit.ts";
import { walkEntries } from "./walk.ts";

/** More scopes within each other than any source has. */
const MOST_SCOPES = 64;

interface Scope {
  readonly start: number;
  end: number;
  readonly parent: Scope | undefined;
  /** The text that it puts before names; undefined until it is first needed. */
  prefix: string | undefined;
}

/** Reads the names of entries. */
interface Names {
  name(entry: Entry): string;
}

/** The scopes of one unit. */
export class Scopes {
  readonly #unit: Unit;
  /** Ascending by their starts. */
  readonly #scopes: Scope[] = [];
  #open: Scope | undefined;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  /** Begins a scope; those that began before and did not end contain it. */
  begin(start: number): void {
    const scope = { start, end: Infinity, parent: this.#open, prefix: undefined };
    this.#scopes.push(scope);
    this.#open = scope;
  }

  /** Ends the scope that began last. */
  end(at: number): void {
    if (this.#open === undefined) return;
    this.#open.end = at;
    this.#open = this.#open.parent;
  }

  /** Returns what stands before an entry's name, such as `std::vector<int>::`. */
  prefix(names: Names, { start }: Entry): string {
    const scopes = this.#scopes;
    let [low, high] = [0, scopes.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (scopes[middle].start < start) low = middle + 1;
      else high = middle;
    }
    let scope: Scope | undefined = scopes[low - 1];
    while (scope !== undefined && scope.end <= start) scope = scope.parent;
    let prefix = "";
    for (let depth = 0; scope !== undefined && depth < MOST_SCOPES; depth++, scope = scope.parent) {
      prefix = (scope.prefix ??= this.#prefixOf(names, scope.start)) + prefix;
    }
    return prefix;
  }

  #prefixOf(names: Names, at: number): string {
    const entry = this.#unit.entry(at)!;
    const name = names.name(entry);
    if (name !== "") return `${name}::`;
    return entry.tag === Tag.namespace ? "(anonymous namespace)::" : "";
  }
}

/** Finds the scopes of a unit. */
export function findScopes(unit: Unit): Scopes {
  const scopes = new Scopes(unit);
  walkEntries(unit, {
    enter(start, { tag, hasChildren }) {
      if (!hasChildren || !isScope(tag)) return false;
      scopes.begin(start);
      return true;
    },
    leave: (end) => scopes.end(end),
  });
  return scopes;
}

/** Whether an entry gives names of its own to what is in it. */
export function isScope(tag: number): boolean {
  return tag === Tag.namespace || tag === Tag.structure || tag === Tag.class || tag === Tag.union;
}

/** Whether an entry is a function, or one that is inlined in another. */
export function isFunction(tag: number): boolean {
  return tag === Tag.subprogram || tag === Tag.inlinedSubroutine;
}

/** Whether functions may be in an entry, and variables with addresses. */
export function mayHoldCode(tag: number): boolean {
  return isScope(tag) || isFunction(tag) || tag === Tag.lexicalBlock;
}
