/**
 * Reads native memory as JavaScript values.
 */

import { pointerTo } from "./pointer.ts";

/**
 * Reads a variable.
 *
 * Safety: ends the process if the variable's memory cannot be read.
 */
export function readStatic(address: bigint, type: Deno.NativeType): unknown {
  const pointer = pointerTo(address);
  const view = new Deno.UnsafePointerView(pointer);
  switch (type) {
    case "bool":
      return view.getBool();
    case "i8":
      return view.getInt8();
    case "u8":
      return view.getUint8();
    case "i16":
      return view.getInt16();
    case "u16":
      return view.getUint16();
    case "i32":
      return view.getInt32();
    case "u32":
      return view.getUint32();
    case "i64":
    case "isize":
      return view.getBigInt64();
    case "u64":
    case "usize":
      return view.getBigUint64();
    case "f32":
      return view.getFloat32();
    case "f64":
      return view.getFloat64();
    default:
      // As in Deno.dlopen, a pointer, buffer or function is the variable's address, not its contents.
      staticSize(type);
      return pointer;
  }
}

/**
 * The size of a variable's type in bytes; 1 where only the address is used.
 *
 * @throws {TypeError} for a type that a variable cannot have, as `Deno.dlopen` does.
 */
export function staticSize(type: Deno.NativeType): number {
  const size = typeof type === "string" ? STATIC_SIZES[type] : undefined;
  if (size === undefined) {
    const name = typeof type === "string" ? `'${type}'` : "a struct";
    throw new TypeError(`Cannot read static: ${name} is not a type of statics`);
  }
  return size;
}

/** The size of a variable's value in bytes; undefined for the types that stand for its address. */
export function valueSize(type: Deno.NativeType): number | undefined {
  return ADDRESS_TYPES.has(type) ? undefined : staticSize(type);
}

const ADDRESS_TYPES: ReadonlySet<unknown> = new Set(["pointer", "buffer", "function"]);

const STATIC_SIZES: Readonly<Record<string, number | undefined>> = {
  bool: 1,
  i8: 1,
  u8: 1,
  i16: 2,
  u16: 2,
  i32: 4,
  u32: 4,
  f32: 4,
  i64: 8,
  u64: 8,
  isize: 8,
  usize: 8,
  f64: 8,
  pointer: 1,
  buffer: 1,
  function: 1,
};

/** The types that a variable can have. */
export const STATIC_TYPES: readonly string[] = Object.keys(STATIC_SIZES);

/**
 * Reads an array of addresses.
 *
 * Safety: ends the process if the array's memory cannot be read.
 */
export function readAddresses(address: bigint, count: number): bigint[] {
  if (count === 0) return [];
  const view = new Deno.UnsafePointerView(pointerTo(address));
  return Array.from({ length: count }, (_, index) => view.getBigUint64(8 * index));
}

/**
 * Memory as bytes, not a copy.
 *
 * Safety: for immediate use only, since nothing keeps the memory. Access ends the
 * process if the memory is not mapped, and writing if it is read-only.
 */
export function bytesAt(address: bigint, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bufferAt(address, length));
}

/**
 * Memory as a buffer, not a copy.
 *
 * Safety: as for {@linkcode bytesAt}; a buffer that lives longer has to be detached
 * before the memory goes.
 */
export function bufferAt(address: bigint, length: number): ArrayBuffer {
  return Deno.UnsafePointerView.getArrayBuffer(pointerTo(address), length);
}
