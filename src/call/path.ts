/**
 * The two ways from JavaScript into native code.
 *
 * | path | a call costs | serves |
 * |---|---|---|
 * | `fast` | about 3 ns: V8 calls machine code that Deno compiled for the symbol of a library | synchronous functions without structs, where a stub library can be made |
 * | `pointer` | about 600 ns: `Deno.UnsafeFnPointer` | everything |
 */

/**
 * Which way calls take: `fast`, `pointer`, or `auto`, which takes the fast one
 * whenever it can serve the definition and be made.
 */
export type CallPath = "auto" | "fast" | "pointer";

/** The way that a function took. */
export type TakenPath = Exclude<CallPath, "auto">;

/** Whether Deno compiles a direct call for such a definition. */
export function isFastDefinition(definition: Deno.ForeignFunction): boolean {
  return definition.nonblocking !== true && isScalar(definition.result) &&
    definition.parameters.every(isScalar);
}

function isScalar(type: Deno.NativeResultType): boolean {
  return typeof type === "string";
}
