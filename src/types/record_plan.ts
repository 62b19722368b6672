/**
 * Plans how a struct, a union or a class becomes its next version: by the names of its fields.
 */
import { sizeOf, type Types } from "./layout.ts";
import { type Member, membersOf } from "./members.ts";
import type { RecordType } from "./model.ts";
import { enumProblem, holdsAll, scalarOf } from "./scalars.ts";
import type { Step } from "./steps.ts";
import { type FreshPart, freshPlan, type Planner, type TypePlan } from "./type_plan.ts";

/** The plan for one field. */
type Carried = Pick<TypePlan, "fate" | "steps" | "cost"> & Partial<TypePlan>;

/** Plans how values of one struct, union or class become values of another. */
export function planRecord(planner: Planner, [was, is]: readonly [before: number, after: number]): TypePlan {
  const old = planner.old[was] as RecordType, now = planner.now[is] as RecordType;
  const name = recordName(now);
  const isNontrivial = old.nontrivial || now.nontrivial;
  const nontrivial = freshPlan(
    `${name} has a destructor, a copy constructor or virtual functions, so its bytes are not its value`,
  );
  if (isNontrivial && !(planner.isInPlace && old.name === now.name)) return nontrivial;
  if (old.size === undefined || now.size === undefined) {
    return freshPlan(`the fields of ${name} are not known`);
  }
  if (
    old.variants !== now.variants || (now.variants && old.name !== now.name) ||
    (old.kind === "union") !== (now.kind === "union")
  ) {
    return freshPlan(`it was ${recordName(old)}, is ${name}`);
  }
  const [before, after] = [membersOf(planner.old, old), membersOf(planner.now, now)];
  if (before === undefined || after === undefined) {
    return freshPlan(`the place of a base class of ${name} is known at run time only`);
  }
  if (!isInside(planner.old, before, old.size) || !isInside(planner.now, after, now.size)) {
    return freshPlan(`the fields of ${name} are larger than it is`);
  }
  const plan = new RecordPlan(planner, { id: was, record: old, members: before }, {
    id: is,
    record: now,
    members: after,
  }).plan();
  return isNontrivial && plan.fate === "changed" ? nontrivial : plan;
}

/** Writes what kind of type it is, and its name. */
export function recordName({ kind, name }: RecordType): string {
  return name === "" ? `${kind} {...}` : `${kind} ${name}`;
}

/** Whether all members lie inside their record, as far as their sizes are known. */
function isInside(types: Types, members: ReadonlyMap<string, Member>, size: number): boolean {
  for (const { type, offset, bits } of members.values()) {
    const length = bits === undefined ? sizeOf(types, type) ?? 0 : Math.ceil((bits[0] + bits[1]) / 8);
    if (offset < 0 || !(offset + length <= size)) return false;
  }
  return true;
}

/** A record in one version. */
interface Version {
  /** The number of its type. */
  readonly id: number;
  readonly record: RecordType;
  readonly members: ReadonlyMap<string, Member>;
}

/** Gathers what becomes of the fields of one record. */
class RecordPlan {
  readonly #planner: Planner;
  readonly #old: Version;
  readonly #now: Version;
  readonly #steps: Step[] = [];
  readonly #fresh: FreshPart[] = [];
  readonly #kept: string[] = [];
  readonly #changes: string[] = [];
  readonly #unsized: Member[] = [];
  readonly #structs = new Set<string>();
  readonly #pointees = new Map<string, readonly [number, number]>();
  #isSame: boolean;
  #isUnsure: boolean;
  /** Its own step counts, too: a struct without bytes may contain many. */
  #cost = 1;

  constructor(planner: Planner, old: Version, now: Version) {
    this.#planner = planner;
    this.#old = old;
    this.#now = now;
    this.#isSame = old.record.size === now.record.size && old.members.size === now.members.size;
    this.#isUnsure = now.record.variants;
  }

  plan(): TypePlan {
    const { record: old, members: before } = this.#old,
      { record: now, members: after } = this.#now;
    for (const member of after.values()) {
      const was = before.get(member.key);
      if (was === undefined) this.#add(member);
      else this.#carry(was, member);
    }
    const removed = [...before.values()].filter(({ key }) => !after.has(key));
    if (!this.#isSame) this.#dropUnsized();
    const known = { isUnsure: this.#isUnsure, pointees: [...this.#pointees.values()] };
    if (this.#isSame) {
      const steps: Step[] = now.size! > 0 ? [{ kind: "move", from: 0, to: 0, length: now.size! }] : [];
      return { fate: "same", steps, cost: 1, structs: [], fresh: [], ...known };
    }
    if (now.kind === "union") return freshPlan(`the members of ${recordName(now)} have changed`);
    // Fields that lie over each other would multiply the time with each struct around them.
    if (this.#cost > 8 * now.size! + MOST_EMPTY) return freshPlan(`the fields of ${recordName(now)} overlap`);
    if (this.#steps.length === 0 && (before.size > 0 || after.size > 0)) {
      return freshPlan(
        this.#fresh.length === 1 ? this.#fresh[0].reason : `${recordName(now)} keeps no field`,
      );
    }
    const line = this.#line(removed);
    if (line !== undefined) this.#structs.add(line);
    // A struct in another is one place: its steps stay together.
    const length = [old.size!, now.size!];
    const steps: Step[] = [
      {
        kind: "repeat",
        from: 0,
        to: 0,
        count: 1,
        step: length[0],
        newStep: length[1],
        struct: this.#old.id,
        steps: joined(this.#steps),
      },
    ];
    return {
      fate: "changed",
      steps,
      cost: this.#cost,
      structs: [...this.#structs],
      fresh: this.#fresh,
      ...known,
    };
  }

  #add({ label, type, key }: Member): void {
    this.#isSame = false;
    const declared = key.startsWith(".") ? this.#declared(label, type) : label;
    this.#changes.push(`+ ${declared}`);
    this.#addFresh(pathOf(key, label), "the old version has no such field", true);
  }

  #declared(label: string, type: number): string {
    const name = this.#planner.newName(type);
    return name.endsWith("*") ? `${name}${label}` : `${name} ${label}`;
  }

  #carry(was: Member, is: Member): void {
    const plan = this.#planMember(was, is);
    const bits = was.bits?.join() === is.bits?.join();
    if (plan.fate !== "same" || was.offset !== is.offset || !bits) this.#isSame = false;
    const path = pathOf(is.key, is.label);
    for (const pair of plan.pointees ?? []) this.#pointees.set(pair.join(), pair);
    this.#isUnsure ||= plan.isUnsure ?? false;
    if (plan.fate === "fresh") {
      this.#changes.push(`${is.label} starts anew: ${plan.reason}`);
      this.#addFresh(path, plan.reason!);
      return;
    }
    this.#cost += plan.cost;
    for (const part of plan.fresh ?? []) this.#addFresh(path + part.path, part.reason, part.isNew);
    for (const line of plan.structs ?? []) this.#structs.add(line);
    const isUnsized = is.bits === undefined && plan.fate === "same" &&
      sizeOf(this.#planner.now, is.type) === undefined;
    if (isUnsized) this.#unsized.push(is);
    if (plan.change === undefined) this.#kept.push(is.label);
    else this.#changes.push(`${is.label}: ${plan.change}`);
    for (const step of plan.steps) {
      this.#steps.push({ ...step, from: was.offset + step.from, to: is.offset + step.to });
    }
  }

  /** A field whose size is not known stays in a struct that is copied as a whole, and cannot move alone. */
  #dropUnsized(): void {
    for (const { key, label } of this.#unsized) {
      this.#kept.splice(this.#kept.indexOf(label), 1);
      this.#changes.push(`${label} starts anew: its size is not known`);
      this.#addFresh(pathOf(key, label), "its size is not known");
    }
  }

  /** Lists a part, unless the list is too long to be read. */
  #addFresh(path: string, reason: string, isNew = false): void {
    if (this.#fresh.length < MOST_PARTS) this.#fresh.push({ path, reason, isNew });
    else if (this.#fresh.length === MOST_PARTS) {
      this.#fresh.push({ path: "", reason: "there are more such parts than this list holds", isNew });
    }
  }

  #planMember(was: Member, is: Member): Carried {
    const planner = this.#planner;
    if (was.bits === undefined && is.bits === undefined) {
      return planner.plan(was.type, is.type);
    }
    const [old, now] = [scalarOf(planner.old, was.type), scalarOf(planner.now, is.type)];
    const retyped = `its type was ${planner.oldName(was.type)}, is ${planner.newName(is.type)}`;
    if (old === undefined || now === undefined || old.form === "float" || now.form === "float") {
      return freshPlan(retyped);
    }
    if ((old.form === "bool") !== (now.form === "bool") && now.form === "bool") return freshPlan(retyped);
    if (now.of !== undefined) {
      const problem = old.of === undefined ? retyped : enumProblem(old.of, now.of);
      if (problem !== undefined) return freshPlan(problem);
    }
    const [firstBit, count] = was.bits ?? [0, 8 * old.size],
      [newFirstBit, newCount] = is.bits ?? [0, 8 * now.size];
    const isSigned = old.form === "signed";
    if (!holdsAll(count, isSigned, newCount, now.form === "signed")) {
      return freshPlan(`it was ${bitsText(was, retyped)}, is ${bitsText(is, retyped)}`);
    }
    const steps: Step[] = [
      { kind: "bits", from: 0, to: 0, firstBit, count, newFirstBit, newCount, isSigned },
    ];
    const isWhole = was.bits !== undefined && is.bits !== undefined && count === newCount &&
      old.form === now.form && old.size === now.size;
    return {
      fate: isWhole ? "same" : "changed",
      steps,
      cost: 1,
      ...(!isWhole && { change: `${count} → ${newCount} bits` }),
    };
  }

  /** Writes the changes of the record; undefined if it only contains what changed. */
  #line(removed: readonly Member[]): string | undefined {
    const parts = [...this.#changes, ...removed.map(({ label }) => `- ${label}`)];
    const isMoved = parts.length > 0 || this.#structs.size === 0;
    if (!isMoved) return undefined;
    const kept = this.#kept;
    const isOne = kept.length === 1;
    const text = kept.length <= MOST_NAMES
      ? kept.join(", ")
      : `${kept.slice(0, MOST_NAMES).join(", ")} and ${kept.length - MOST_NAMES} more`;
    if (kept.length > 0) parts.push(`${text} ${isOne ? "keeps its value" : "keep their values"}`);
    return `${recordName(this.#now.record)}: ${parts.join("; ")}`;
  }
}

/** The steps that structs may need beside those for each of their bits. */
const MOST_EMPTY = 1024;
/** A plan lists so many parts that start anew. */
const MOST_PARTS = 256;
/** A line names so many fields that keep their values. */
const MOST_NAMES = 8;

function pathOf(key: string, label: string): string {
  return key.startsWith(".") ? key : `.{${label}}`;
}

function bitsText({ bits }: Member, other: string): string {
  return bits === undefined ? `an integer (${other})` : `a bit-field of ${bits[1]} bits`;
}

/** Joins moves that follow each other in both versions. */
function joined(steps: readonly Step[]): Step[] {
  const result: Step[] = [];
  for (const step of steps) {
    const last = result.at(-1);
    if (
      step.kind === "move" && last?.kind === "move" &&
      last.from + last.length === step.from && last.to + last.length === step.to
    ) {
      result[result.length - 1] = { ...last, length: last.length + step.length };
    } else result.push(step);
  }
  return result;
}
