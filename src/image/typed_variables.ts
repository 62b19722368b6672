/**
 * Compares the types that variables and functions have in two versions of a module, where both files tell them.
 */

import type { ModuleTypes } from "../smf/types.ts";
import { isPointer } from "../types/kinds.ts";
import { bareType, sizeOf } from "../types/layout.ts";
import { Migration } from "../types/migration.ts";
import { isSameUse, pointeeAt } from "../types/pointees.ts";
import { scalarOf } from "../types/scalars.ts";
import { freshPlan, type TypePlan } from "../types/type_plan.ts";
import type { SmfFile } from "../smf/file.ts";

/** A version with its types. */
export interface TypedVersion {
  readonly file: SmfFile;
  readonly types: ModuleTypes;
}

/** A struct that pointers lead to, and whose layout has changed. */
export interface ChangedPointee {
  /** The variable that holds the pointer, or leads to it. */
  readonly name: string;
  /** The change, as a phrase for messages. */
  readonly change: string;
}

/** A variable that starts with the new version's value, and the reason. */
export interface FreshVariable {
  /** The symbol's name. */
  readonly name: string;
  /** The mismatch, as a phrase for messages. */
  readonly reason: string;
}

/** A variable whose layout differs between the versions. */
export interface ConvertedVariable {
  /** The symbol's name. */
  readonly name: string;
  /** The differences, as phrases for messages: "struct point: + int z; x, y keep their values". */
  readonly changes: readonly string[];
  /** The parts that start with the new version's values: paths from the name on, such as `points[].z`. */
  readonly fresh: readonly FreshVariable[];
}

/** The types of two versions. */
export class TypedPair {
  readonly #previous: TypedVersion;
  readonly #candidate: TypedVersion;
  readonly #migration: Migration;
  readonly #plans = new Map<number, TypePlan | undefined>();

  /** @param isInPlace Whether values that need no conversion stay where they are. */
  constructor(previous: TypedVersion, candidate: TypedVersion, isInPlace = false) {
    this.#previous = previous;
    this.#candidate = candidate;
    this.#migration = new Migration(previous.types.types, candidate.types.types, isInPlace);
  }

  /**
   * Plans what becomes of a variable's value.
   *
   * @param before The index of its symbol in the previous version, which is matched with one `after` only.
   * @returns undefined if the files do not tell both types.
   */
  plan(before: number, after: number): TypePlan | undefined {
    if (!this.#plans.has(before)) this.#plans.set(before, this.#plan(before, after));
    return this.#plans.get(before);
  }

  #plan(before: number, after: number): TypePlan | undefined {
    const was = typeOf(this.#previous, before), is = typeOf(this.#candidate, after);
    if (was === undefined || is === undefined) return undefined;
    const [old, now] = [this.#fit(this.#previous, before, was), this.#fit(this.#candidate, after, is)];
    if (old === undefined || now === undefined) return undefined;
    const plan = this.#migration.plan(was, is);
    if (plan.fate === "fresh") return plan;
    const isOpen = old === "open" || now === "open";
    if (isOpen && plan.fate === "same" && sizeIn(this.#previous, before) === sizeIn(this.#candidate, after)) {
      return plan;
    }
    if (isOpen) return freshPlan("its type does not tell the length of the array at its end");
    for (const size of [old, now]) if (size !== "fits") return freshPlan(size);
    return plan;
  }

  /**
   * Compares a symbol's size with its type's: compilers shrink a variable that only ever has two values to
   * a byte that means another value in the next version.
   *
   * @returns `fits`; `open` if an array without a length ends it; the difference; or undefined for a type without a size.
   */
  #fit({ file, types }: TypedVersion, index: number, type: number): string | undefined {
    const size = sizeOf(types.types, type), actual = file.symbols.size(index);
    if (size === actual) return "fits";
    if (hasOpenEnd(types, type) && (size === undefined || actual > size)) return "open";
    if (size === undefined) return undefined;
    return `the compiler made it ${actual} bytes, of the ${size} of its type ${types.declaration("", type)}`;
  }

  /** The number of the type that a word in a variable of the previous version is declared to point to. */
  pointeeAt(before: number, offset: number): number | undefined {
    const type = typeOf(this.#previous, before);
    return type === undefined ? undefined : pointeeAt(this.#previous.types.types, type, offset);
  }

  /** Finds the structs that variables lead to by pointers, and whose layout has changed. */
  changedPointees(plans: Iterable<readonly [name: string, plan: TypePlan]>): ChangedPointee[] {
    const changes: ChangedPointee[] = [];
    const isSameGraph = this.#previous.types.types === this.#candidate.types.types;
    for (const [name, plan] of plans) {
      // A type has the layout that it has.
      if (plan.pointees.every(([before, after]) => isSameGraph && before === after)) continue;
      const seen = new Set<string>();
      const open = [...plan.pointees];
      for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
        const key = pair.join();
        if (seen.has(key)) continue;
        seen.add(key);
        const pointee = this.#migration.plan(...pair);
        open.push(...pointee.pointees);
        for (const change of this.#changes(pair, pointee)) changes.push({ name, change });
      }
    }
    return changes;
  }

  #changes([before, after]: readonly [number, number], { fate, structs }: TypePlan): readonly string[] {
    if (fate === "same") return [];
    if (structs.length > 0) return structs;
    const [old, now] = [this.#previous.types.layoutHash(before), this.#candidate.types.layoutHash(after)];
    return old === now ? [] : [`${this.#migration.newName(after)} has another layout`];
  }

  /** Compares the declarations of a function or variable; undefined if who uses the old one can use the new one. */
  changedUse(before: number, after: number): { readonly before: string; readonly after: string } | undefined {
    const was = typeOf(this.#previous, before), is = typeOf(this.#candidate, after);
    if (was === undefined || is === undefined || isSameUse(this.#migration, was, is)) return undefined;
    const { types: old, file: { symbols } } = this.#previous, { types: now } = this.#candidate;
    const name = symbols.name(before);
    return { before: old.declaration(name, was), after: now.declaration(name, is) };
  }

  /** Whether a variable of the previous version is a number or a pointer. */
  isScalar(before: number): boolean {
    const { types: { types } } = this.#previous, type = typeOf(this.#previous, before);
    if (type === undefined) return false;
    const bare = types[bareType(types, type)];
    return scalarOf(types, type) !== undefined || (bare !== undefined && isPointer(bare));
  }
}

/** Describes for people how the value of a variable was converted. */
export function conversionOf(name: string, { change, structs, fresh }: TypePlan): ConvertedVariable {
  return {
    name,
    changes: [...(change === undefined ? [] : [change]), ...structs],
    fresh: fresh.map(({ path, reason }) => ({ name: `${name}${path}`, reason })),
  };
}

/** The number of a symbol's type. */
export function typeOf({ file: { symbols }, types }: TypedVersion, index: number): number | undefined {
  return types.of({ value: symbols.value(index), visibility: symbols.visibility(index) });
}

function sizeIn({ file: { symbols } }: TypedVersion, index: number): number {
  return symbols.size(index);
}

/** Whether a type is, or ends with, an array without a length. */
function hasOpenEnd({ types }: ModuleTypes, id: number): boolean {
  const type = types[bareType(types, id)];
  if (type?.kind === "array") return type.count === undefined;
  if (type?.kind !== "struct") return false;
  const last = types[bareType(types, type.fields.at(-1)?.type ?? 0)];
  return last?.kind === "array" && (last.count === undefined || last.count === 0);
}
