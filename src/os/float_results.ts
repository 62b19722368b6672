/**
 * Results of type f32 and f64 that are infinite or NaN. Deno before 2.9.2 returns
 * `null` for them, from calls by address and from nonblocking calls. These calls ask
 * for a struct of that one number instead: it comes back in the same register, and
 * Deno hands out its bytes unchanged.
 */

import { isBefore } from "./deno_versions.ts";

/** A function with a definition that differs in its result. */
interface StructCall {
  readonly definition: Deno.ForeignFunction;
  /** The number in the bytes of the struct. */
  readonly number: (bytes: Uint8Array) => number;
}

/** Whether a version of Deno returns `null` for numbers that are not finite. */
export function losesNumbers(version: string): boolean {
  return isBefore(version, 2, 9, 2);
}

/**
 * Whether calls take structs here. Windows returns a struct in another register than
 * a number; there the results stay what Deno makes of them.
 */
const TAKE_STRUCTS = Deno.build.os !== "windows" && losesNumbers(Deno.version.deno);

/** Whether Deno itself returns `null` for some results of a nonblocking function, which a struct mends. */
export function needsStruct({ result, nonblocking }: Deno.ForeignFunction): boolean {
  return TAKE_STRUCTS && nonblocking === true && (result === "f32" || result === "f64");
}

/**
 * The definition with which a call by address gets every number, if it is not the
 * function's own.
 *
 * @param needed For tests, that it differs on every version of Deno.
 */
export function structCall(
  definition: Deno.ForeignFunction,
  needed: boolean = TAKE_STRUCTS,
): StructCall | undefined {
  const { result } = definition;
  if (!needed || result !== "f32" && result !== "f64") return undefined;
  const read = result === "f32" ? DataView.prototype.getFloat32 : DataView.prototype.getFloat64;
  return {
    definition: { ...definition, result: { struct: [result] } },
    number: (bytes) => read.call(new DataView(bytes.buffer, bytes.byteOffset), 0, true),
  };
}
