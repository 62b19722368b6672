/**
 * Bit-fields: some bits of little-endian memory, counted from the lowest.
 */

import type { BitsShape } from "./shape.ts";

/** Reads a bit-field whose first byte is at `at`. */
export function readBits(view: DataView, at: number, shape: BitsShape): number | bigint | boolean {
  const { first, count, isSigned, as } = shape;
  let bits = 0n;
  const bytes = Math.ceil((first + count) / 8);
  for (let byte = bytes - 1; byte >= 0; byte--) bits = bits << 8n | BigInt(view.getUint8(at + byte));
  bits = BigInt.asUintN(count, bits >> BigInt(first));
  if (as === "boolean") return bits !== 0n;
  const value = isSigned ? BigInt.asIntN(count, bits) : bits;
  return as === "bigint" ? value : Number(value);
}

/** Writes a bit-field; bytes that it shares keep their other bits, bits that it has no room for are cut. */
export function writeBits(
  view: DataView,
  at: number,
  { first, count }: BitsShape,
  value: number | bigint | boolean,
): void {
  const whole = typeof value === "number" ? BigInt(Math.trunc(value) || 0) : BigInt(value);
  const mask = (1n << BigInt(count)) - 1n << BigInt(first);
  const bits = BigInt.asUintN(count, whole) << BigInt(first);
  for (let byte = 0; 8 * byte < first + count; byte++) {
    const own = Number(mask >> BigInt(8 * byte) & 0xffn);
    const others = view.getUint8(at + byte) & ~own;
    view.setUint8(at + byte, others | Number(bits >> BigInt(8 * byte) & 0xffn));
  }
}
