/**
 * Descriptions of variables in the words of the program, for modules without types.
 */

import type { CharArray } from "./char_array.ts";
import { rowOf, type Shape, type Word, WORD_SIZES, WORDS } from "./shape.ts";

/** A value of a described variable: a number, a bool, a character, a pointer, or a struct. */
export type ViewType =
  | "i8"
  | "u8"
  | "i16"
  | "u16"
  | "i32"
  | "u32"
  | "i64"
  | "u64"
  | "f32"
  | "f64"
  | "bool"
  | "char"
  | "pointer"
  | ViewStruct;

/** A struct in a description. */
export interface ViewStruct {
  /** The fields, in order, each at the next offset that suits its alignment, as C compilers place them. */
  readonly struct: { readonly [field: string]: ViewType | ViewDescription };
}

/** Describes a variable that is viewed. */
export interface ViewDescription {
  /** The type of the variable, or of its elements. */
  readonly type: ViewType;
  /**
   * The number of elements, if the variable is an array.
   *
   * @default as many numbers as the variable has; for a struct, one that is not in an array
   */
  readonly count?: number;
}

/** The view of elements of each type. */
export interface ViewArrays {
  /** Signed integers of 8 bits. */
  readonly i8: Int8Array<ArrayBuffer>;
  /** Unsigned integers of 8 bits. */
  readonly u8: Uint8Array<ArrayBuffer>;
  /** Signed integers of 16 bits. */
  readonly i16: Int16Array<ArrayBuffer>;
  /** Unsigned integers of 16 bits. */
  readonly u16: Uint16Array<ArrayBuffer>;
  /** Signed integers of 32 bits. */
  readonly i32: Int32Array<ArrayBuffer>;
  /** Unsigned integers of 32 bits. */
  readonly u32: Uint32Array<ArrayBuffer>;
  /** Signed integers of 64 bits. */
  readonly i64: BigInt64Array<ArrayBuffer>;
  /** Unsigned integers of 64 bits. */
  readonly u64: BigUint64Array<ArrayBuffer>;
  /** Floats. */
  readonly f32: Float32Array<ArrayBuffer>;
  /** Doubles. */
  readonly f64: Float64Array<ArrayBuffer>;
  /** Bools, as 0 and 1. */
  readonly bool: Uint8Array<ArrayBuffer>;
  /** Pointers, as addresses. */
  readonly pointer: BigUint64Array<ArrayBuffer>;
  /** Characters. */
  readonly char: CharArray;
}

/** The property of a described field: typed arrays for arrays, accessors for structs. */
export type FieldView<T> = T extends ViewDescription
  ? "count" extends keyof T ? ViewOf<T> : FieldView<T["type"]>
  : T extends ViewStruct ? StructView<T["struct"]>
  : T extends "bool" ? boolean
  : T extends "i64" | "u64" | "pointer" ? bigint
  : number;

/** The accessor of a described struct. */
export type StructView<F> = { -readonly [K in keyof F]: FieldView<F[K]> };

/** The view that a description gives: a typed array, an accessor with a property for each field, or an array of these. */
export type ViewOf<D extends ViewDescription> = D["type"] extends keyof ViewArrays ? ViewArrays[D["type"]]
  : D["type"] extends ViewStruct
    ? "count" extends keyof D ? readonly StructView<D["type"]["struct"]>[] : StructView<D["type"]["struct"]>
  : never;

const TYPES = [...Object.keys(WORD_SIZES), "char"];

/** A shape and the alignment that its place in a struct has. */
interface DescribedShape {
  readonly shape: Shape;
  readonly alignment: number;
}

/**
 * Returns the shape that a description gives.
 *
 * @param size The variable's size in bytes; 0 if it is not known.
 * @throws {TypeError} for a description that is not one.
 */
export function shapeOfDescription(description: ViewDescription, size: number): Shape {
  if (typeof description !== "object" || description === null || !("type" in description)) {
    throw wrong("a description is an object like { type, count }");
  }
  const { type } = description;
  const element = elementOf(type, 0).shape.size;
  const isStruct = typeof type === "object";
  const whole = isStruct ? undefined : Math.max(1, Math.floor(size / element));
  return described({ type, count: description.count ?? whole }, 0).shape;
}

/** Deeper nesting is a mistake: an object that contains itself. */
const MOST_DEPTH = 64;

function described(
  { type, count }: { type: ViewType; count: number | undefined },
  depth: number,
): DescribedShape {
  const element = elementOf(type, depth);
  if (count === undefined) return element;
  if (!Number.isSafeInteger(count) || count < 0 || count * element.shape.size > Number.MAX_SAFE_INTEGER) {
    throw wrong(`count is not a number of elements: ${count}`);
  }
  const shape: Shape = type === "char" ? { kind: "text", size: count } : rowOf(element.shape, count);
  return { shape, alignment: element.alignment };
}

function elementOf(type: ViewType, depth: number): DescribedShape {
  if (typeof type === "object" && type !== null && typeof type.struct === "object" && type.struct !== null) {
    return structOf(type.struct, depth);
  }
  if (!TYPES.includes(type as string)) {
    throw wrong(`${JSON.stringify(type)} is not one of ${TYPES.join(", ")}, or { struct: { ... } }`);
  }
  const shape = WORDS[type === "char" ? "u8" : type as Word];
  return { shape, alignment: shape.size };
}

function structOf(
  struct: { readonly [field: string]: ViewType | ViewDescription },
  depth: number,
): DescribedShape {
  if (depth > MOST_DEPTH) throw wrong("structs are nested too deeply");
  const fields = [];
  let end = 0;
  let alignment = 1;
  for (const [name, value] of Object.entries(struct)) {
    const isDescription = typeof value === "object" && value !== null && "type" in value;
    const field = isDescription
      ? described({ type: value.type, count: value.count }, depth + 1)
      : elementOf(value, depth + 1);
    alignment = Math.max(alignment, field.alignment);
    const offset = Math.ceil(end / field.alignment) * field.alignment;
    fields.push({ name, offset, shape: field.shape });
    end = offset + field.shape.size;
  }
  const size = Math.ceil(end / alignment) * alignment;
  return { shape: { kind: "struct", name: "", size, fields }, alignment };
}

function wrong(reason: string): TypeError {
  return new TypeError(`Cannot view variable: ${reason}`);
}
