/**
 * Numbers that become numbers of another type, where every value has an equal one.
 */
import { isSignedEnum } from "./kinds.ts";
import { bareType, type Types } from "./layout.ts";
import type { EnumType } from "./model.ts";
import type { Step } from "./steps.ts";

/** A number, as its bits are read. */
export interface Scalar {
  readonly form: "signed" | "unsigned" | "bool" | "float";
  /** Size in bytes. */
  readonly size: number;
  /** The enumeration that it is of. */
  readonly of?: EnumType;
}

/** Returns how the bits of a number's type are read; undefined for other types. */
export function scalarOf(types: Types, id: number): Scalar | undefined {
  const type = types[bareType(types, id)];
  if (type?.kind === "base") {
    const { encoding, size } = type;
    if (encoding === "char") return { form: "unsigned", size };
    return encoding === "complex" || encoding === "other" ? undefined : { form: encoding, size };
  }
  if (type?.kind !== "enum" || type.size === undefined) return undefined;
  return { form: isSignedEnum(types, type) ? "signed" : "unsigned", size: type.size, of: type };
}

/** Says why an enumeration may not follow another: a name is gone or has another value. */
export function enumProblem(old: EnumType, now: EnumType): string | undefined {
  const values = new Map(now.enumerators.map(({ name, value }) => [name, value]));
  for (const { name, value } of old.enumerators) {
    const next = values.get(name);
    if (next === undefined) return `${name} of its enumeration is gone`;
    if (next !== value) return `${name} was ${value}, is ${next}`;
  }
  return undefined;
}

/** Whether every integer of some bits has an equal one of other bits. */
export function holdsAll(
  bits: number,
  isSigned: boolean,
  newBits: number,
  isNewSigned: boolean,
): boolean {
  if (isSigned === isNewSigned) return bits <= newBits;
  return isNewSigned && bits < newBits;
}

/** Bits of the numbers that the two sizes of floating-point numbers hold exactly. */
const EXACT: Readonly<Record<number, number>> = { 4: 24, 8: 53 };

/** Returns the step from one number to another of every value's equal; undefined if some have none. */
export function widening(old: Scalar, now: Scalar): Step | undefined {
  const { size: length } = old, { size: newLength } = now;
  if (now.form === "bool" || now.of !== undefined) {
    // Of the numbers only those of the type itself are sure to be valid.
    if (now.form === "bool" || old.of === undefined) return undefined;
  }
  if (now.form === "float") {
    const exact = EXACT[newLength];
    if (exact === undefined || old.of !== undefined) return undefined;
    const bits = old.form === "bool" ? 1 : old.form === "float" ? EXACT[length] : 8 * length;
    if (bits === undefined || bits > exact || (old.form === "float" && length >= newLength)) return undefined;
    const source = old.form === "bool" ? "unsigned" : old.form;
    return { kind: "float", from: 0, to: 0, length, newLength: newLength === 4 ? 4 : 8, source };
  }
  if (old.form === "float") return undefined;
  const bits = old.form === "bool" ? 1 : 8 * length;
  const isSigned = old.form === "signed";
  if (length > newLength || !holdsAll(bits, isSigned, 8 * newLength, now.form === "signed")) return undefined;
  return { kind: "widen", from: 0, to: 0, length, newLength, isSigned };
}
