/**
 * Integers without rounding: a number where it is exact, a bigint beyond. So equal integers are equal by `===`.
 */

/** A number from -(2^53 - 1) to 2^53 - 1, or a bigint outside of that. */
export type Integer = number | bigint;

/** Returns the form that an integer has here. */
export function integer(value: bigint): Integer {
  const isSafe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
  return isSafe ? Number(value) : value;
}

/** Returns an integer as the lowest `bits` bits, with a sign or without, hold it. */
export function wrapInteger(value: Integer, bits: number, isSigned: boolean): Integer {
  if (typeof value === "number" && value >= 0 && value < 2 ** (bits - 1)) return value;
  const wide = BigInt(value);
  return integer(isSigned ? BigInt.asIntN(bits, wide) : BigInt.asUintN(bits, wide));
}
