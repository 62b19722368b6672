/**
 * Whether what is used as a value of an old type may be one of a new type: through a pointer, or in a call.
 * Names of types, qualifiers and signs do not matter.
 */
import { isPointer, isRecord } from "./kinds.ts";
import { bareType, MOST_DEPTH, sizeOf, type Types } from "./layout.ts";
import type { TypeRecord } from "./model.ts";
import { scalarOf } from "./scalars.ts";

/** Two versions' types, and the questions whose answers need layouts. */
export interface ComparedTypes {
  readonly old: Types;
  readonly now: Types;
  /** Whether two structs have the same layout. */
  isSameLayout(before: number, after: number): boolean;
}

/** Whether a pointer to one type may be one to the other: structs are the same by their names. */
export function isSamePointee(types: ComparedTypes, before: number, after: number, depth = 0): boolean {
  const [old, now] = bare(types, before, after);
  // Nobody knows what `void *` points to.
  if (old === undefined || now === undefined || depth > MOST_DEPTH) return true;
  if (isRecord(old) || isRecord(now)) {
    if (!isRecord(old) || !isRecord(now) || (old.kind === "union") !== (now.kind === "union")) return false;
    return old.name === now.name || old.name === "" || now.name === "";
  }
  if (old.kind === "array" && now.kind === "array") return isSamePointee(types, old.of, now.of, depth + 1);
  return isSameUse(types, before, after, depth);
}

/** Whether a parameter or result of one type may be one of the other. */
export function isSameUse(types: ComparedTypes, before: number, after: number, depth = 0): boolean {
  const [old, now] = bare(types, before, after);
  if (old === undefined || now === undefined) return old === now;
  if (depth > MOST_DEPTH) return true;
  if (isPointer(old) && isPointer(now)) return isSamePointee(types, old.to, now.to, depth + 1);
  const scalars = [scalarOf(types.old, before), scalarOf(types.now, after)] as const;
  if (scalars[0] !== undefined && scalars[1] !== undefined) {
    const formOf = (form: string): string => form === "unsigned" ? "signed" : form;
    return scalars[0].size === scalars[1].size && formOf(scalars[0].form) === formOf(scalars[1].form);
  }
  if (isRecord(old) && isRecord(now)) {
    return old.nontrivial === now.nontrivial && types.isSameLayout(before, after);
  }
  if (old.kind === "function" && now.kind === "function") {
    if (old.variadic !== now.variadic) return false;
    if (!isSameUse(types, old.result, now.result, depth + 1)) return false;
    // `int f()` of C does not say what it takes.
    if (!old.prototyped || !now.prototyped) return true;
    return old.parameters.length === now.parameters.length &&
      old.parameters.every(({ type }, index) =>
        isSameUse(types, type, now.parameters[index].type, depth + 1)
      );
  }
  if (old.kind === "array" && now.kind === "array") {
    return old.count === now.count && isSameUse(types, old.of, now.of, depth + 1);
  }
  if (old.kind === "vector" && now.kind === "vector") {
    return old.count === now.count && isSameUse(types, old.of, now.of, depth + 1);
  }
  if (old.kind === "base" && now.kind === "base") {
    return old.encoding === now.encoding && old.size === now.size;
  }
  return old.kind === now.kind;
}

function bare(
  { old, now }: ComparedTypes,
  before: number,
  after: number,
): readonly [TypeRecord | undefined, TypeRecord | undefined] {
  return [old[bareType(old, before)], now[bareType(now, after)]];
}

/**
 * Finds the type that the pointer at a place in a value points to.
 *
 * @returns the number of the type behind its names; undefined if no pointer is declared there, or one to
 * `void` or bytes, which may point to anything.
 */
export function pointeeAt(types: Types, id: number, offset: number): number | undefined {
  for (let steps = 0; steps < MOST_DEPTH; steps++) {
    const type = types[bareType(types, id)];
    if (type === undefined) return undefined;
    if (isPointer(type)) {
      const to = bareType(types, type.to), pointee = types[to];
      const isByte = pointee?.kind === "base" && pointee.size === 1;
      return offset !== 0 || pointee === undefined || isByte ? undefined : to;
    }
    if (type.kind === "array") {
      const size = sizeOf(types, type.of) ?? 0;
      if (size === 0) return undefined;
      id = type.of;
      offset %= size;
    } else if (type.kind === "struct" || type.kind === "class") {
      const part = partAt(types, type.fields, offset) ?? partAt(types, type.bases, offset);
      if (part === undefined) return undefined;
      id = part.type;
      offset -= part.offset!;
    } else return undefined;
  }
  return undefined;
}

interface Part {
  readonly type: number;
  readonly offset: number | undefined;
}

/** The part of a struct that has a byte. */
function partAt(types: Types, parts: readonly Part[], offset: number): Part | undefined {
  for (const part of parts) {
    if (part.offset === undefined || offset < part.offset) continue;
    if (offset < part.offset + (sizeOf(types, part.type) ?? 0)) return part;
  }
  return undefined;
}
