/**
 * Finds the records and enumerations that a generated module declares, and names them.
 */
import { isRecord } from "../kinds.ts";
import { elementsOf, type Types } from "../layout.ts";
import { type EnumType, forContained, forMentioned, type RecordType, type TypeRecord } from "../model.ts";
import type { Scope } from "./names.ts";

/** The declared types: their identifiers by number, ascending. */
export type DeclaredTypes = ReadonlyMap<number, string>;

/** How far types are followed. */
export interface Reach {
  /** The numbers of the functions' and variables' types. */
  readonly roots: readonly number[];
  /** Whether fields that are pointers are followed, too. */
  readonly followFields: boolean;
}

/**
 * Lists the structs, unions, classes and enumerations that functions and variables have or point to, and
 * those that these contain. A type contains only types with lower numbers, so this order declares each
 * before it is used.
 */
export function declaredTypes(types: Types, reach: Reach, scope: Scope): DeclaredTypes {
  const order = reachedTypes(types, reach);
  const hints = nameHints(types);
  const names = new Map<number, string>();
  const ownName = (id: number): string => {
    const type = types[id];
    if (type === undefined || !isDeclarable(type)) return "";
    const short = withoutScope(type.name);
    return shared.has(short) ? type.name : short;
  };
  const shared = namesOfSeveral(types, order);
  // Types with names keep them, whatever unnamed ones come before.
  for (const id of order) {
    const name = ownName(id) || hints.typedefs.get(id);
    if (name !== undefined) names.set(id, scope.identifier(name));
  }
  for (const id of order) {
    if (names.has(id)) continue;
    // The fields that lead to an unnamed type, from the innermost record that has a name.
    const path: string[] = [];
    let at = id;
    for (let use = hints.fields.get(at); use !== undefined && path.length < 8; use = hints.fields.get(at)) {
      path.unshift(use.field);
      at = use.record;
      const outer = names.get(at) ?? (ownName(at) || hints.typedefs.get(at));
      if (outer === undefined) continue;
      path.unshift(outer);
      break;
    }
    names.set(id, scope.identifier(path.length === 0 ? "Unnamed" : path.join("_")));
  }
  return new Map(order.map((id) => [id, names.get(id)!]));
}

/** Finds the names that types of several namespaces or classes have. */
function namesOfSeveral(types: Types, ids: readonly number[]): ReadonlySet<string> {
  const full = new Map<string, string>();
  const shared = new Set<string>();
  for (const id of ids) {
    const type = types[id];
    if (type === undefined || !isDeclarable(type) || type.name === "") continue;
    const short = withoutScope(type.name);
    if ((full.get(short) ?? type.name) !== type.name) shared.add(short);
    full.set(short, type.name);
  }
  return shared;
}

/** Returns a name without the namespaces and classes that it is in: `vector<a::b>` for `std::vector<a::b>`. */
function withoutScope(name: string): string {
  let depth = 0;
  for (let at = name.length - 1; at > 0; at--) {
    if (name[at] === ">") depth++;
    else if (name[at] === "<") depth--;
    else if (depth === 0 && name[at] === ":" && name[at - 1] === ":" && at < name.length - 1) {
      return name.slice(at + 1);
    }
  }
  return name;
}

function reachedTypes(types: Types, { roots, followFields }: Reach): readonly number[] {
  const found = new Set<number>();
  /** Numbers of types whose pointers were followed; negative numbers of those whose pointers were not. */
  const seen = new Set<number>();
  const queue: [id: number, followsPointers: boolean][] = roots.map((id) => [id, true]);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [id, follows] = next;
    const type = types[id];
    if (type === undefined || seen.has(id) || (!follows && seen.has(-id))) continue;
    seen.add(follows ? id : -id);
    const isDeclared = isDeclarable(type);
    if (isDeclared && type.size !== undefined) found.add(id);
    const followsNext = isDeclared ? followFields : follows;
    forContained(type, (part) => queue.push([part, followsNext]));
    if (followsNext) forMentioned(type, (other) => queue.push([other, true]));
  }
  return [...found].sort((a, b) => a - b);
}

/** Whether a type has fields or values to declare. */
function isDeclarable(type: TypeRecord): type is RecordType | EnumType {
  return isRecord(type) || type.kind === "enum";
}

/** The names that unnamed types can take. */
interface NameHints {
  /** The first typedef of a type. */
  readonly typedefs: ReadonlyMap<number, string>;
  /** The first field that has an unnamed type. */
  readonly fields: ReadonlyMap<number, { readonly record: number; readonly field: string }>;
}

function nameHints(types: Types): NameHints {
  const typedefs = new Map<number, string>();
  const fields = new Map<number, { record: number; field: string }>();
  types.forEach((type, id) => {
    if (type?.kind === "typedef") {
      if (!typedefs.has(type.to)) typedefs.set(type.to, type.name);
    } else if (isRecord(type)) {
      for (const { name, type: fieldType } of type.fields) {
        const used = elementsOf(types, fieldType).of;
        if (!fields.has(used)) fields.set(used, { record: id, field: name || "unnamed" });
      }
    }
  });
  return { typedefs, fields };
}
