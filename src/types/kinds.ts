/**
 * Questions about the kind of a type that several readers of types ask.
 */
import { bareType, type Types } from "./layout.ts";
import type { DerivedType, EnumType, RecordType, TypeRecord } from "./model.ts";

/** Whether a type is a struct, a union or a class. */
export function isRecord(type: TypeRecord | undefined): type is RecordType {
  return type?.kind === "struct" || type?.kind === "union" || type?.kind === "class";
}

/** Whether a type's values are addresses. */
export function isPointer(
  type: TypeRecord,
): type is DerivedType & { kind: "pointer" | "reference" | "rvalue-reference" } {
  return type.kind === "pointer" || type.kind === "reference" || type.kind === "rvalue-reference";
}

/** Whether an array of a type is a text: `signed char` and `unsigned char` are small numbers. */
export function isCharacter(types: Types, id: number): boolean {
  const type = types[bareType(types, id)];
  return type?.kind === "base" && type.size === 1 && (type.name === "char" || type.name === "char8_t");
}

/** Whether the numbers of an enumeration have a sign. */
export function isSignedEnum(types: Types, type: EnumType): boolean {
  const underlying = types[bareType(types, type.underlying)];
  return underlying?.kind === "base"
    ? underlying.encoding === "signed"
    : type.enumerators.some(({ value }) => value < 0);
}
