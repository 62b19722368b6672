/**
 * `adapter/`: machine code in front of functions, which takes values as V8's fast calls pass them and passes them
 * on as C does.
 *
 * | a call passes | V8 gives | the function gets |
 * |---|---|---|
 * | `word` | an integer, an address, or a floating-point number | the same |
 * | `number` | a double that holds an integer | the integer, of 64 bits |
 * | `string` | an offset in the isolate's strings, 0 for null | the string's address, or the null pointer |
 * | `struct` | the address of its bytes | the struct, by value |
 *
 * Results take the way back: an integer becomes a double, a string is copied, a struct is written to an address that
 * follows the parameters. An adapter knows nothing of JavaScript: its callers check arguments before.
 */

import type { Leaves } from "../../types/definition_words.ts";

/** A parameter, as it comes and as it goes on. */
export type AdapterParameter =
  | { readonly kind: "word"; readonly class: "integer" | "float" }
  | { readonly kind: "number" }
  | { readonly kind: "string" }
  | { readonly kind: "struct"; readonly leaves: Leaves };

/** A result, as it comes and as it goes on. */
export type AdapterResult =
  | { readonly kind: "word" }
  /** A result that a double does not hold exactly is stored in a word; NaN is returned in its place. */
  | { readonly kind: "number"; readonly signed: boolean }
  | { readonly kind: "struct"; readonly leaves: Leaves }
  /** The adapter returns the length of a string of ASCII, which it copies; else a value of {@linkcode StringResult}. */
  | { readonly kind: "string" };

/** The values that an adapter returns in place of the length of a string that it has not copied. */
export const StringResult = {
  /** It is the null pointer. */
  NULL: -1,
  /** It is long, or not ASCII: its address is in the word. */
  ELSEWHERE: -2,
} as const;

/** The values of a call. */
export interface AdapterSignature {
  readonly parameters: readonly AdapterParameter[];
  /** A struct result adds a parameter at the end: the address that it is written to. */
  readonly result: AdapterResult;
  /** Whether the parameter at the very end is the address for `errno`, which the call then stores. */
  readonly errnoParameter?: boolean;
}

/** The addresses in an adapter. */
export interface AdapterTarget {
  /** The address of the function. */
  readonly address: bigint;
  /** The address of the word for results that are not returned; unused for other results. */
  readonly beyond: bigint;
  /** The places of strings; unused without strings. */
  readonly strings: StringPlaces;
  /** Present if `errno` is set to 0 before the call, and stored after it. */
  readonly errno?: ErrnoTarget;
}

/** The places of strings. */
export interface StringPlaces {
  /** The address that offsets count from. */
  readonly in: bigint;
  /** The address for the string that comes out. */
  readonly out: bigint;
  /** The most bytes that are copied there. */
  readonly most: number;
}

/** The places of `errno`. */
export interface ErrnoTarget {
  /** The address of the C library's function that returns the address of the thread's `errno`. */
  readonly location: bigint;
  /** The address to store it at; undefined if the last parameter is that address. */
  readonly word: bigint | undefined;
}

/** The machine code of one adapter. */
export interface AdapterCode {
  readonly bytes: Uint8Array;
  /** The size of its stack frame below the saved frame pointer, in bytes. */
  readonly frameBytes: number;
}

/** The largest integer that a double holds together with all smaller ones: `Number.MAX_SAFE_INTEGER`. */
export const MOST_EXACT = (1n << 53n) - 1n;

/** A quiet NaN, as the bits of a double. */
export const NAN_BITS = 0x7ff8_0000_0000_0000n;
