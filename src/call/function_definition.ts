/**
 * Definitions of functions: those of `Deno.dlopen`, and options that say how values reach JavaScript.
 */

import { oneOf, type OptionKind } from "../errors/options.ts";

/**
 * The JavaScript values of 64-bit integers (`i64`, `u64`, `isize`, `usize`), parameters and results:
 *
 * | | arguments | results |
 * |---|---|---|
 * | `bigint` | as for `Deno.dlopen`: bigints, or numbers, whose fractions are cut | bigints |
 * | `number` | numbers | numbers; others than integers up to 2⁵³ − 1 are a `RangeError` |
 * | `number-or-bigint` | both | numbers up to 2⁵³ − 1, bigints beyond |
 *
 * A number as an argument must be an integer of at most 2⁵³ − 1 in both directions,
 * and not negative for an unsigned type; else the call throws a `RangeError` and does
 * not begin.
 */
export type Integers = "bigint" | "number" | "number-or-bigint";

/** The values of {@linkcode Integers}. */
export const INTEGER_WORDS: readonly Integers[] = ["bigint", "number", "number-or-bigint"];

/** The values of the option `integers`. */
export const INTEGERS: OptionKind = oneOf(...INTEGER_WORDS);

/**
 * The array that a struct result is in:
 *
 * | | a call returns |
 * |---|---|
 * | `new` | a new array, as for `Deno.dlopen` |
 * | `reused` | the same array each time, which the next call changes |
 * | `caller` | the array that is its last argument, after the parameters |
 */
export type ResultBuffer = "new" | "reused" | "caller";

/** The values of {@linkcode ResultBuffer}. */
export const RESULT_BUFFER_WORDS: readonly ResultBuffer[] = ["new", "reused", "caller"];

/**
 * The type of a parameter: one of `Deno.dlopen`'s, or `cstring`, a string that the
 * function reads during its call. A call takes a string without NUL characters, or
 * null, and passes it in UTF-8.
 *
 * Safety: the function must not keep the pointer, and must not write to it.
 */
export type ParameterType = Deno.NativeType | "cstring";

/**
 * The type of a result: one of `Deno.dlopen`'s, or `cstring`, a string in UTF-8 that
 * ends with a NUL, which the call copies; null for the null pointer. Nobody frees it.
 */
export type ResultType = Deno.NativeResultType | "cstring";

/**
 * The definition of a function: that of `Deno.dlopen`, with options of this package,
 * which say how values reach JavaScript. Calls with them cost some nanoseconds more
 * than others on the fast path.
 *
 * Safety: the array of a result must keep its memory during the call: a callback
 * that detaches it makes native code write to freed memory.
 *
 * ## Platforms
 *
 * Options work everywhere; where {@linkcode CallPath} says that there is no fast
 * path, JavaScript converts the values.
 *
 * @example A size as a number, a struct in an array of the caller's
 * ```ts
 * import { ModuleLoader } from "@simple/loader";
 * import { assertEquals } from "@std/assert";
 *
 * const point = { struct: ["f64", "f64"] } as const;
 * using module = new ModuleLoader().load("fixtures/c/typed.smf");
 * const { symbols } = module.bind({
 *   count: { parameters: ["buffer", "u8"], result: "usize", integers: "number" },
 *   scale: { parameters: [point, "f64"], result: point, resultBuffer: "caller" },
 * });
 * assertEquals(symbols.count(new TextEncoder().encode("banana\0"), 97), 3);
 * const result = new Uint8Array(16);
 * symbols.scale(new Float64Array([1, 2]), 3, result);
 * assertEquals(new Float64Array(result.buffer), new Float64Array([3, 6]));
 * ```
 */
export interface FunctionDefinition {
  /**
   * The symbol's name.
   *
   * @default the key of the definition
   */
  readonly name?: string;
  /** The types of the parameters. */
  readonly parameters: readonly ParameterType[];
  /** The type of the result. */
  readonly result: ResultType;
  /**
   * Whether calls run on another thread, and return promises.
   *
   * @default false
   */
  readonly nonblocking?: boolean;
  /**
   * Whether the function may be missing; its value is null then.
   *
   * @default false
   */
  readonly optional?: boolean;
  /**
   * The JavaScript values of 64-bit integers.
   *
   * @default "bigint"
   */
  readonly integers?: Integers;
  /**
   * The array that a struct result is in.
   *
   * @default "new"
   */
  readonly resultBuffer?: ResultBuffer;
  /**
   * Whether a call returns `{ result, errno }`: `errno` is set to 0 before the
   * function begins, and read when it has returned, on the same thread.
   *
   * Platforms: glibc on Linux; on Windows the universal C runtime (`ucrtbase.dll`),
   * whose `errno` other C runtimes do not set. Elsewhere binding is an error of kind
   * `Unsupported`.
   *
   * @default false
   */
  readonly captureErrno?: boolean;
}

/** The value that a call returns if its definition says `captureErrno`. */
export interface ErrnoResult<R> {
  /** The function's result. */
  readonly result: R;
  /** The number that the function has left in `errno`; 0 if it has not set it. */
  readonly errno: number;
}

/** Definitions of functions and statics by their names, as for `Deno.dlopen`. */
export interface Definitions {
  /** The definition of the function or static of this name. */
  [name: string]: FunctionDefinition | Deno.ForeignStatic;
}

/** The arguments for the parameters `P` of a definition with the option `integers: I`. */
export type ConvertedArguments<P extends readonly ParameterType[], I> = {
  [K in keyof P]: P[K] extends "cstring" ? string | null
    : P[K] extends "i64" | "u64" | "isize" | "usize" ? (I extends "number" ? number : number | bigint)
    : Deno.ToNativeType<Extract<P[K], Deno.NativeType>>;
};

/** The result for the result `R` of a definition with the option `integers: I`. */
export type ConvertedResult<R extends ResultType, I> = R extends "cstring" ? string | null
  : R extends "i64" | "u64" | "isize" | "usize"
    ? (I extends "number" ? number : I extends "number-or-bigint" ? number | bigint : bigint)
  : ReturnType<
    Deno.StaticForeignLibraryInterface<
      Record<"f", Deno.ForeignFunction<readonly [], Extract<R, Deno.NativeResultType>, false>>
    >["f"]
  >;

/** The JavaScript function for a definition whose options say how values reach JavaScript. */
export type ConvertedFunction<D extends FunctionDefinition> = (
  ...parameters: D extends { readonly resultBuffer: "caller" }
    ? [...ConvertedArguments<D["parameters"], D["integers"]>, result: Uint8Array<ArrayBuffer>]
    : ConvertedArguments<D["parameters"], D["integers"]>
) => D extends { readonly nonblocking: true } ? Promise<CapturedResult<D>> : CapturedResult<D>;

/** The result of a definition, with `errno` if it says `captureErrno`. */
export type CapturedResult<D extends FunctionDefinition> = D extends { readonly captureErrno: true }
  ? ErrnoResult<ConvertedResult<D["result"], D["integers"]>>
  : ConvertedResult<D["result"], D["integers"]>;

/** The JavaScript function for a definition, typed as `Deno.dlopen` types its symbols. */
export type Callable<D extends FunctionDefinition> = D extends
  | { readonly integers: "number" | "number-or-bigint" }
  | { readonly resultBuffer: "caller" }
  | { readonly captureErrno: true }
  ? (D extends { readonly optional: true } ? ConvertedFunction<D> | null : ConvertedFunction<D>)
  : D extends Deno.ForeignFunction ? Deno.StaticForeignLibraryInterface<Record<"f", D>>["f"]
  : (D extends { readonly optional: true } ? ConvertedFunction<D> | null : ConvertedFunction<D>);

/** The functions and statics for definitions: for each function a function, for each static its value. */
export type SymbolsOf<S extends Definitions> = {
  [K in keyof S]: S[K] extends FunctionDefinition ? Callable<S[K]>
    : S[K] extends Deno.ForeignStatic ? Deno.StaticForeignLibraryInterface<Record<"s", S[K]>>["s"]
    : never;
};
