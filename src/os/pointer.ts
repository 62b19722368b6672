/**
 * The portable way from JavaScript to an address: `Deno.UnsafeFnPointer`.
 */

import { LoadError } from "../errors/load_error.ts";
import { structCall } from "./float_results.ts";
import { permitted } from "./library.ts";

/** A callable whose type is known to its caller: the definition that it was made from. */
// deno-lint-ignore no-explicit-any
export type CallFunction = (...parameters: any[]) => unknown;

/**
 * A function that calls the native one at `address`.
 *
 * Safety: calling it ends the process or corrupts its memory unless the address
 * is that of a function with this definition.
 */
export function pointerCall(address: bigint, definition: Deno.ForeignFunction): CallFunction {
  const exact = structCall(definition);
  const target = permitted(() =>
    new Deno.UnsafeFnPointer(pointerTo(address) as Deno.PointerObject<never>, exact?.definition ?? definition)
  );
  const call: CallFunction = (...parameters) => target.call(...parameters as never[]);
  if (exact === undefined) return withoutNull(call, definition);
  const { number } = exact;
  return definition.nonblocking === true
    ? (...parameters) => (call(...parameters) as Promise<Uint8Array>).then(number)
    : (...parameters) => number(call(...parameters) as Uint8Array);
}

/**
 * Makes calls of a function without a result return `undefined`, as `Deno.dlopen`
 * does. Deno returns `null` from calls by address and from nonblocking calls.
 */
export function withoutNull(
  call: CallFunction,
  { result, nonblocking }: Deno.ForeignFunction,
): CallFunction {
  if (result !== "void") return call;
  return nonblocking === true
    ? (...parameters) => (call(...parameters) as Promise<unknown>).then(() => undefined)
    : (...parameters) => void call(...parameters);
}

/** An address as Deno's own pointer. */
export function pointerTo(address: bigint): Deno.PointerObject {
  const pointer = permitted(() => Deno.UnsafePointer.create(address));
  if (pointer === null) throw new LoadError("InvalidFormat", "Cannot make pointer: the address is 0");
  return pointer;
}

/** The address of Deno's own pointer. */
export function addressOf(pointer: Deno.PointerObject): bigint {
  return BigInt(Deno.UnsafePointer.value(pointer));
}

/**
 * The address of a buffer's memory, which does not move, or of a view's first byte.
 *
 * Safety: the memory is the buffer's for as long as it is reachable and not detached. V8 may
 * move a small array until its `buffer` is asked for.
 */
export function addressOfBuffer(buffer: ArrayBuffer | ArrayBufferView<ArrayBuffer>): bigint {
  return permitted(() => Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer)));
}
