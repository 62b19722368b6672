/**
 * Words in memory as TypeScript reads and writes them by a `DataView`, and arrays of them as typed arrays.
 */
import { bareType, type Types } from "../layout.ts";
import { isReason, nativeValue, type NativeWord } from "../native.ts";

/** How values of a word are read and written. */
export interface Scalar {
  /** The type of values. */
  readonly type: "number" | "bigint" | "boolean" | "Deno.PointerValue";
  /** The part of `getInt32` and the like behind `get`. */
  readonly accessor: string;
  /** Size in bytes. */
  readonly size: number;
  /** The typed array of its values; a pointer's are addresses. */
  readonly array: string;
}

function scalar(type: Scalar["type"], accessor: string, size: number, array = `${accessor}Array`): Scalar {
  return { type, accessor, size, array };
}

const POINTER = scalar("Deno.PointerValue", "BigUint64", 8);

const SCALARS: Readonly<Record<NativeWord, Scalar>> = {
  bool: scalar("boolean", "Uint8", 1),
  i8: scalar("number", "Int8", 1),
  u8: scalar("number", "Uint8", 1),
  i16: scalar("number", "Int16", 2),
  u16: scalar("number", "Uint16", 2),
  i32: scalar("number", "Int32", 4),
  u32: scalar("number", "Uint32", 4),
  i64: scalar("bigint", "BigInt64", 8),
  u64: scalar("bigint", "BigUint64", 8),
  f32: scalar("number", "Float32", 4),
  f64: scalar("number", "Float64", 8),
  pointer: POINTER,
  function: POINTER,
};

/** Returns how values of a type are read and written; undefined if the type is not a word. */
export function scalarOf(types: Types, id: number): Scalar | undefined {
  const value = nativeValue(types, id);
  if (isReason(value) || typeof value !== "string") return undefined;
  const type = types[bareType(types, id)];
  // Text decoders take bytes without a sign.
  if (type?.kind === "base" && type.name === "char" && type.size === 1) {
    return { ...SCALARS[value], array: "Uint8Array" };
  }
  return SCALARS[value];
}

/** Returns code that reads a value at an offset. */
export function readCode({ type, accessor, size }: Scalar, offset: number): string {
  const raw = `this.#view.get${accessor}(${offset}${size > 1 ? ", true" : ""})`;
  if (type === "boolean") return `${raw} !== 0`;
  return type === "Deno.PointerValue" ? `Deno.UnsafePointer.create(${raw})` : raw;
}

/** Returns code that writes `value` at an offset. */
export function writeCode({ type, accessor, size }: Scalar, offset: number): string {
  const value = type === "boolean"
    ? "value ? 1 : 0"
    : type === "Deno.PointerValue"
    ? "Deno.UnsafePointer.value(value)"
    : "value";
  return `this.#view.set${accessor}(${offset}, ${value}${size > 1 ? ", true" : ""})`;
}
