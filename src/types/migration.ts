/**
 * Compares the types that a value has in two versions of a module, and plans how a value of the old type
 * becomes one of the new type.
 *
 * | the type is | it becomes |
 * |---|---|
 * | the same, under whatever name | the same bytes |
 * | a wider number that has an equal of each value | that number |
 * | an enumeration with further names | the same number |
 * | an array of another length | the elements that both have |
 * | a struct or class with other fields | the fields of equal names; the rest stays as the new version has it |
 * | anything else | nothing: the new version's value stays, and the plan says why |
 */
import { declarationOf } from "./declaration.ts";
import { isCharacter, isPointer, isRecord } from "./kinds.ts";
import { bareType, MOST_DEPTH, sizeOf, type Types } from "./layout.ts";
import type { ArrayType, TypeRecord } from "./model.ts";
import { isSamePointee } from "./pointees.ts";
import { planRecord } from "./record_plan.ts";
import { enumProblem, scalarOf, widening } from "./scalars.ts";
import type { Step } from "./steps.ts";
import { freshPlan, NOTHING, type Planner, type TypePlan } from "./type_plan.ts";

/** Plans conversions between the types of two versions of a module. */
export class Migration implements Planner {
  readonly old: Types;
  readonly now: Types;
  readonly isInPlace: boolean;
  readonly #plans = new Map<number, TypePlan>();
  #depth = 0;

  /** @param isInPlace Whether values that need no conversion stay where they are. */
  constructor(old: Types, now: Types, isInPlace = false) {
    this.old = old;
    this.now = now;
    this.isInPlace = isInPlace;
  }

  plan(before: number, after: number): TypePlan {
    before = bareType(this.old, before);
    after = bareType(this.now, after);
    const key = before * this.now.length + after;
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    if (this.#depth > MOST_DEPTH) return freshPlan("its types are nested too deeply");
    this.#depth++;
    const plan = this.#plan(before, after);
    this.#depth--;
    this.#plans.set(key, plan);
    return plan;
  }

  isSameLayout(before: number, after: number): boolean {
    return this.plan(before, after).fate === "same";
  }

  oldName(type: number): string {
    return declarationOf(this.old, type, "", { parameterNames: false });
  }

  newName(type: number): string {
    return declarationOf(this.now, type, "", { parameterNames: false });
  }

  #plan(before: number, after: number): TypePlan {
    const old = this.old[before], now = this.now[after];
    if (old === undefined || now === undefined) return this.#retyped(before, after);
    if (isPointer(old) && isPointer(now)) {
      if (!isSamePointee(this, old.to, now.to)) return this.#retyped(before, after);
      return { ...this.#same(before), pointees: this.#pointees(old.to, now.to) };
    }
    if (isRecord(old) && isRecord(now)) return planRecord(this, [before, after]);
    if (old.kind === "array" && now.kind === "array") return this.#planArray(old, now);
    const scalars = [scalarOf(this.old, before), scalarOf(this.now, after)] as const;
    if (scalars[0] !== undefined && scalars[1] !== undefined) {
      const [was, is] = scalars;
      if (was.of !== undefined && is.of !== undefined) {
        const problem = enumProblem(was.of, is.of);
        if (problem !== undefined) return freshPlan(problem);
      }
      if (was.form === is.form && was.size === is.size && (was.of === undefined) === (is.of === undefined)) {
        return this.#same(before);
      }
      const step = widening(was, is);
      if (step === undefined) return this.#retyped(before, after);
      const change = `${this.oldName(before)} → ${this.newName(after)}`;
      return { ...NOTHING, fate: "changed", steps: [step], cost: 1, change };
    }
    return isSameKind(this, old, now) ? this.#same(before) : this.#retyped(before, after);
  }

  #same(before: number): TypePlan {
    const length = sizeOf(this.old, before) ?? 0;
    return {
      ...NOTHING,
      fate: "same",
      steps: length === 0 ? [] : [{ kind: "move", from: 0, to: 0, length }],
      cost: 1,
    };
  }

  #retyped(before: number, after: number): TypePlan {
    return freshPlan(`its type was ${this.oldName(before)}, is ${this.newName(after)}`);
  }

  #pointees(before: number, after: number): TypePlan["pointees"] {
    const [was, is] = [bareType(this.old, before), bareType(this.now, after)];
    const [old, now] = [this.old[was], this.now[is]];
    if (old === undefined || now === undefined) return [];
    if (isPointer(old) && isPointer(now)) return this.#pointees(old.to, now.to);
    if (old.kind === "array" && now.kind === "array") return this.#pointees(old.of, now.of);
    return isRecord(old) && isRecord(now) && old.size !== undefined && now.size !== undefined
      ? [[was, is]]
      : [];
  }

  #planArray(old: ArrayType, now: ArrayType): TypePlan {
    const element = this.plan(old.of, now.of);
    if (element.fate === "fresh") return freshPlan(`of its elements: ${element.reason}`);
    const isSame = element.fate === "same" && old.count === now.count;
    const whole = old.count ?? 0, count = Math.min(whole, now.count ?? 0);
    const step = sizeOf(this.old, old.of) ?? 0, newStep = sizeOf(this.now, now.of) ?? 0;
    const common = {
      fate: isSame ? "same" : "changed",
      change: changeOfArray(element.change, old.count, now.count),
      structs: element.structs,
      fresh: element.fresh.map((part) => ({ ...part, path: `[]${part.path}` })),
      isUnsure: element.isUnsure,
      pointees: element.pointees,
    } as const;
    if (count === 0 || step === 0 || newStep === 0) return { ...common, steps: [], cost: 1 };
    if (element.fate === "same") {
      const length = count * step;
      // Text that is cut must still end.
      const isText = count < whole && isCharacter(this.old, old.of);
      const steps: Step[] = [
        isText ? { kind: "text", from: 0, to: 0, length, whole } : { kind: "move", from: 0, to: 0, length },
      ];
      return { ...common, steps, cost: 1 };
    }
    const steps: Step[] = [{ kind: "repeat", from: 0, to: 0, count, step, newStep, steps: element.steps }];
    return { ...common, steps, cost: count * element.cost };
  }
}

function changeOfArray(
  element: string | undefined,
  before: number | undefined,
  after: number | undefined,
): string | undefined {
  const texts = element === undefined ? [] : [element];
  if (before !== after) {
    const kept = Math.min(before ?? 0, after ?? 0);
    texts.push(`${before ?? "no"} → ${after ?? "no"} elements, of which the first ${kept} keep their values`);
  }
  return texts.length === 0 ? undefined : texts.join(", ");
}

/** Compares types that no rule converts. */
function isSameKind(migration: Planner, old: TypeRecord, now: TypeRecord): boolean {
  if (old.kind === "base" && now.kind === "base") {
    return old.encoding === now.encoding && old.size === now.size && old.name === now.name;
  }
  if (old.kind === "vector" && now.kind === "vector") {
    return old.count === now.count && migration.isSameLayout(old.of, now.of);
  }
  if (old.kind === "unknown" && now.kind === "unknown") return old.name === now.name;
  return old.kind === "member-pointer" && now.kind === "member-pointer";
}
