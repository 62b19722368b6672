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
 *
 * What makes a call fast takes Deno about a tenth of a millisecond. `fast` has
 * that done when a function is bound; `auto` when it is called for the 8th time,
 * together with other functions of the module that are in use by then. Calls
 * before that are made as those of `pointer` are, and cost as much.
 *
 * A program that revokes `--allow-ffi` once all is bound asks for `fast`: Deno
 * looks at the permission in each call of the other kind.
 */
export type CallPath = "auto" | "fast" | "pointer";

/** The way that a function took. */
export type TakenPath = Exclude<CallPath, "auto">;

/** A function that is wanted. */
export interface BindRequest {
  /** For errors and as the function's own name. */
  readonly name: string;
  readonly address: bigint;
  readonly definition: Deno.ForeignFunction;
}

/** Whether Deno compiles a direct call for such a definition; undefined if that, or whether it is valid, it must say. */
export function hasFastCall(definition: Deno.ForeignFunction): boolean | undefined {
  const { parameters, result, nonblocking } = definition;
  if (nonblocking === true || typeof result !== "string") return false;
  let isKnown = result === "void" || SCALARS.has(result);
  for (const type of parameters) {
    if (typeof type !== "string") return false;
    isKnown &&= SCALARS.has(type);
  }
  return isKnown || undefined;
}

type Scalar = Extract<Deno.NativeType, string>;

const SCALARS: ReadonlySet<Scalar> = new Set<Scalar>([
  "bool",
  "i8",
  "u8",
  "i16",
  "u16",
  "i32",
  "u32",
  "i64",
  "u64",
  "isize",
  "usize",
  "f32",
  "f64",
  "pointer",
  "buffer",
  "function",
]);
