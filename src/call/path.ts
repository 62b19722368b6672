/**
 * The two ways from JavaScript into native code.
 *
 * | path | a call costs | serves |
 * |---|---|---|
 * | `fast` | about 3 ns: V8 calls machine code that Deno compiled for the symbol of a library | synchronous functions, where a stub library can be made; structs by value, and 64-bit integers as numbers, go through an adapter, which costs a few nanoseconds more |
 * | `pointer` | about 600 ns: `Deno.UnsafeFnPointer` | everything |
 */

import { oneOf, type OptionKind } from "../errors/options.ts";
import type { FunctionDefinition } from "./function_definition.ts";

/**
 * The way that calls take: `fast`, `pointer`, or `auto`, which takes the fast
 * one wherever it serves the definition and can be made.
 *
 * Compiling a fast call takes Deno about a tenth of a millisecond. `fast` does
 * this when a function is bound; `auto` does it when the function is called for
 * the 8th time, together with other functions of the module that are in use by
 * then. Calls before that are made by `pointer`, and cost as much.
 *
 * A program that revokes `--allow-ffi` after binding must ask for `fast`: Deno
 * checks the permission in each call by `pointer`.
 *
 * ## Platforms
 *
 * `fast` works on Linux, and on Windows for x86-64, where it needs
 * `--allow-read` and `--allow-write` of `simple-loader` in the folder for
 * temporary files, which no other user may be able to change. Elsewhere `auto`
 * takes `pointer`, and `fast` is an error of kind `Unsupported`.
 */
export type CallPath = "auto" | "fast" | "pointer";

/** The values of the option `callPath`. */
export const CALL_PATH: OptionKind = oneOf("auto", "fast", "pointer");

/** The way that a function's calls have taken. */
export type TakenPath = Exclude<CallPath, "auto">;

/** A function to bind. */
export interface BindRequest {
  /** The function's own name, which errors mention. */
  readonly name: string;
  readonly address: bigint;
  readonly definition: FunctionDefinition;
}

/** Whether Deno compiles a fast call for a definition, which was judged before. */
export function hasFastCall(definition: FunctionDefinition): boolean {
  const { parameters, result, nonblocking } = definition;
  return nonblocking !== true && typeof result === "string" &&
    parameters.every((type) => typeof type === "string");
}
