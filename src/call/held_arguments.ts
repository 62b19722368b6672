/**
 * Keeps the arguments of calls from the garbage collector while native code uses them.
 */

import { finallyCall, plainSet } from "../os/intrinsics.ts";

/** The arguments of calls that have not ended. */
const held = plainSet<readonly unknown[]>();

/**
 * Holds the buffers among the arguments of a call until the result is called: when the call has ended, whose result
 * may be read from them.
 *
 * Deno itself holds them only until a nonblocking call has begun; and optimised code that calls a function lets go of
 * a value once nothing later uses it.
 */
export function hold(values: readonly unknown[]): () => void {
  held.add(values);
  return () => held.delete(values);
}

/**
 * Calls a function, and holds `values` until the call has ended.
 *
 * @param nonblocking Whether the call has ended when its promise has settled.
 */
export function whileHeld(values: readonly unknown[], nonblocking: boolean, call: () => unknown): unknown {
  const release = hold(values);
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    release();
    throw error;
  }
  if (nonblocking) return finallyCall(result as Promise<unknown>, release);
  release();
  return result;
}
