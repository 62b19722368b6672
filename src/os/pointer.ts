/**
 * The portable path from JavaScript to an address: `Deno.UnsafeFnPointer`.
 */

import { LoadError } from "../errors.ts";
import { permitted } from "./library.ts";

/** A callable of unknown type; its definition gave it one already. */
// deno-lint-ignore no-explicit-any
export type CallFunction = (...parameters: any[]) => unknown;

/** A function that calls the native one at `address`. */
export function pointerCall(address: bigint, definition: Deno.ForeignFunction): CallFunction {
  const target = permitted(() =>
    new Deno.UnsafeFnPointer(pointerTo(address) as Deno.PointerObject<never>, definition)
  );
  return (...parameters) => target.call(...parameters as never[]);
}

/** An address as Deno's own pointer. */
export function pointerTo(address: bigint): Deno.PointerObject {
  const pointer = permitted(() => Deno.UnsafePointer.create(address));
  if (pointer === null) throw new LoadError("InvalidFormat", "Cannot use address 0 as a pointer");
  return pointer;
}
