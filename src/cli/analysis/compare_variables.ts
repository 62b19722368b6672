/**
 * Compares the variables of two versions of a module, by the rules of `state: "carry"`.
 */
import { type ChangedPointee, conversionOf, type ConvertedVariable } from "../../image/typed_variables.ts";
import type { VersionPair } from "../../image/version_pair.ts";
import type { ParsedSmf } from "../../smf/file.ts";
import { imageOffsets } from "../../smf/offsets.ts";
import { takeSteps } from "../../types/steps.ts";
import type { TypePlan } from "../../types/type_plan.ts";
import { equal } from "../../smf/equal.ts";

/** The effect of one difference on a reload. */
export type Effect = "none" | "migrate" | "refused";

/** A difference between the versions. */
export interface Change {
  readonly what: "header" | "export" | "variable" | "symbol" | "section" | "needed";
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
  /** The old and the new state, as text; may be empty. */
  readonly detail: string;
  /** Its effect on a reload: none, a value that is not carried, or a refusal. */
  readonly effect: Effect;
}

/** The variables of a candidate, as a reload with `state: "carry"` would treat them. */
export interface ComparedVariables {
  readonly changes: readonly Change[];
  /** Variables whose values a reload with `state: "carry"` keeps. */
  readonly carried: readonly string[];
  /** Variables whose values it converts, field by field. */
  readonly converted: readonly ConvertedVariable[];
  /** The structs of variables whose layout differs: "struct point: + int z; x, y keep their values". */
  readonly structs: readonly string[];
  /** The variables that lead by pointers to structs whose layout differs. */
  readonly changedPointees: readonly ChangedPointee[];
  /** The carried variables whose types the files do not tell. */
  readonly matchedBySize: readonly string[];
  /** The carried variables whose initial values differ: the reload keeps the old values. */
  readonly initialValueChanged: readonly string[];
}

/** Says of each variable of either version what a reload does with its value. */
export function compareVariables(pair: VersionPair, before: ParsedSmf, after: ParsedSmf): ComparedVariables {
  const changes: Change[] = [];
  const carried: string[] = [], matchedBySize: string[] = [], initialValueChanged: string[] = [];
  const converted: ConvertedVariable[] = [];
  const plans: [name: string, plan: TypePlan][] = [];
  const [oldBytes, newBytes] = [initialBytes(before), initialBytes(after)];
  for (const { index, name, before: was, reason, plan } of pair.variables()) {
    if (was !== undefined) {
      const steps = plan?.fate === "changed" ? plan.steps : undefined;
      if (steps === undefined) carried.push(name);
      else {
        const conversion = conversionOf(name, plan!);
        converted.push(conversion);
        changes.push(conversionChange(conversion, plan!));
      }
      if (pair.isIdentical) continue;
      if (plan !== undefined) plans.push([name, plan]);
      const { symbols } = after;
      if (plan?.isUnsure ?? symbols.typeId(index) === 0) matchedBySize.push(name);
      const now = newBytes(symbols.value(index), symbols.size(index));
      const old = oldBytes(before.symbols.value(was), before.symbols.size(was));
      const kept = steps === undefined ? old : now.slice();
      if (steps !== undefined) takeSteps(steps, old, kept);
      if (!equal(kept, now)) initialValueChanged.push(name);
      continue;
    }
    const isNew = pair.isNew(index);
    changes.push({
      what: "variable",
      name,
      change: isNew ? "added" : "changed",
      detail: isNew ? "" : reason,
      effect: isNew ? "none" : "migrate",
    });
  }
  for (const index of pair.removedVariables()) {
    const name = before.symbols.name(index);
    changes.push({ what: "variable", name, change: "removed", detail: "its value is lost", effect: "none" });
  }
  return {
    changes,
    carried,
    converted,
    structs: [...new Set(plans.flatMap(([, { structs }]) => structs))],
    changedPointees: pair.changedPointees(plans),
    matchedBySize,
    initialValueChanged,
  };
}

/** A variable needs a migration if a part that both versions have starts anew. */
function conversionChange({ name, fresh }: ConvertedVariable, { change, fresh: parts }: TypePlan): Change {
  const lost = parts.filter(({ isNew }) => !isNew).length;
  const texts = [
    ...(change === undefined ? [] : [change]),
    ...fresh.filter((_, index) => !parts[index].isNew).map(({ name, reason }) => `${name}: ${reason}`),
  ];
  const detail = texts.length === 0 ? "its fields are carried by name" : texts.join("; ");
  return { what: "variable", name, change: "changed", detail, effect: lost > 0 ? "migrate" : "none" };
}

/** Reads the initial bytes at an offset of the file's image; addresses that relocations store are zero in both files. */
function initialBytes(file: ParsedSmf): (offset: number, size: number) => Uint8Array {
  const { offsets } = imageOffsets(file.sections);
  const contents = new Map<number, Uint8Array>();
  return (offset, size) => {
    const found = file.sections.findIndex(({ virtualSize }, index) => {
      const start = offsets[index];
      return start !== undefined && offset >= start && offset + size <= start + virtualSize;
    });
    if (found < 0) return new Uint8Array(size);
    let bytes = contents.get(found);
    if (bytes === undefined) contents.set(found, bytes = file.contents(file.sections[found]));
    const start = offset - offsets[found]!;
    return bytes.subarray(start, start + size);
  };
}
