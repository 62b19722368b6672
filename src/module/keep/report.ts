/**
 * The report of what became of the variables of a module.
 */

import { guardedName } from "../../image/symbol_names.ts";
import type { FollowedVariable } from "../../image/homes/follow.ts";
import { conversionOf, type ConvertedVariable, type FreshVariable } from "../../image/typed_variables.ts";
import type { TypePlan } from "../../types/type_plan.ts";
import type { CarryReport, OldPointer } from "../carry.ts";
import { reportTables } from "./class_tables.ts";
import { InitialValues } from "./initial_values.ts";
import type { KeepPlan } from "./plan_model.ts";
import { homelessVariables, type UnusedObjects, unusedObjects } from "./unused.ts";

/**
 * Reports what becomes of the variables.
 *
 * @param counts What the report counts that is known already.
 */
export function reportOf(
  plan: KeepPlan,
  oldPointers: readonly OldPointer[],
  counts: Pick<UnusedObjects, "threads" | "sharedBytes">,
): CarryReport {
  const { homes, candidate, places, pair, threadLocals } = plan;
  const { symbols } = candidate.file;
  const kept: string[] = [], keptHomes: number[] = [], initialValueChanged: string[] = [];
  const moved: ConvertedVariable[] = [], fresh: FreshVariable[] = [];
  const matchedBySize: string[] = [], typed: [string, TypePlan][] = [];
  const isSized = ({ index, name, plan }: FollowedVariable): boolean =>
    (plan?.isUnsure ?? symbols.typeId(index) === 0) && guardedName(name) === undefined;
  const initial = new InitialValues(candidate);
  for (const home of homes) {
    const { fate, variables } = home;
    if (places.isTable(home.home)) continue;
    if (fate === "fresh") {
      for (const index of places.variables[home.home]) {
        fresh.push({ name: symbols.name(index), reason: home.reason! });
      }
      continue;
    }
    for (const variable of variables) {
      if (!pair.isIdentical && isSized(variable)) matchedBySize.push(variable.name);
      if (variable.plan !== undefined) typed.push([variable.name, variable.plan]);
    }
    if (fate === "moved") {
      const [{ name, plan }] = variables;
      moved.push(conversionOf(name, plan!));
      continue;
    }
    keptHomes.push(home.home);
    const hasChanged = initial.differs(home);
    for (const { name } of variables) {
      kept.push(name);
      if (hasChanged) initialValueChanged.push(name);
    }
  }
  for (const variable of threadLocals?.variables ?? []) {
    kept.push(variable.name);
    if (!pair.isIdentical && isSized(variable)) matchedBySize.push(variable.name);
    if (variable.plan !== undefined) typed.push([variable.name, variable.plan]);
  }
  initialValueChanged.push(...threadLocals?.otherInitialValues ?? []);
  return {
    carried: [],
    converted: [],
    kept,
    tables: reportTables(plan),
    moved,
    fresh: [...fresh, ...homelessVariables(candidate, threadLocals?.reason)],
    unused: unusedObjects(candidate, keptHomes, counts),
    replacedCode: undefined,
    oldPointers,
    matchedBySize,
    initialValueChanged,
    changedPointees: pair.changedPointees(typed),
  };
}
