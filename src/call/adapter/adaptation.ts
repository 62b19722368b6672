/**
 * Decides which conversions the calls of a definition need beside those that Deno makes.
 */

import { LoadError } from "../../errors/load_error.ts";
import { layoutOf, leavesOf, wordOf } from "../../types/definition_words.ts";
import { copyDefinition } from "../definition.ts";
import type {
  FunctionDefinition,
  Integers,
  ParameterType,
  ResultBuffer,
  ResultType,
} from "../function_definition.ts";
import { type CallPlan, planCall } from "./call_plan.ts";
import type { AdapterParameter, AdapterResult, StringPlaces } from "./signature.ts";
import { ADAPTER_SYSTEM } from "./system.ts";

/** A parameter as JavaScript gives it, or a result as JavaScript gets it. */
export type GivenValue =
  /** A value that Deno judges and converts. */
  | { readonly kind: "plain" }
  /** A number that is an exact integer. */
  | { readonly kind: "number"; readonly signed: boolean }
  /** An array of at least so many bytes. */
  | { readonly kind: "struct"; readonly size: number }
  /** A string or null. */
  | { readonly kind: "string" };

/** The conversions around the calls of a definition. */
export interface Adaptation {
  readonly parameters: readonly GivenValue[];
  readonly result: GivenValue;
  readonly integers: Integers;
  readonly resultBuffer: ResultBuffer;
  readonly nonblocking: boolean;
  readonly captureErrno: boolean;
  /** The number of the JavaScript function's parameters. */
  readonly parameterCount: number;
  /** The definition of the function itself, as Deno knows it. */
  readonly plain: Deno.ForeignFunction;
  /** The way by an adapter; undefined if there is none, and JavaScript converts what Deno gives. */
  readonly adapter: AdapterWay | undefined;
  /**
   * The adapter that the long way calls in place of the function, because it must store `errno`; undefined if it need
   * not. It takes integers as bigints.
   */
  readonly capturing: AdapterWay | undefined;
}

/** An adapter, and its definition as Deno knows it. */
export interface AdapterWay {
  readonly plan: CallPlan;
  readonly definition: Deno.ForeignFunction;
}

/** The integers that JavaScript can have as numbers, and whether they have a sign. */
const SIGNED: ReadonlyMap<ResultType, boolean> = new Map([
  ["i64", true],
  ["isize", true],
  ["u64", false],
  ["usize", false],
]);
/** The types in which adapters take and return values that they convert. */
const OUTER = { number: "f64", string: "i32", struct: "buffer" } as const;

/** The places of strings of an adapter that is never called. */
export const NO_STRINGS: StringPlaces = { in: 0n, out: 0n, most: 1 };

/** The conversions that a definition, which was judged before, needs; undefined if Deno does them all. */
export function adaptationOf(definition: FunctionDefinition): Adaptation | undefined {
  const { parameters, result } = definition;
  const integers = definition.integers ?? "bigint";
  const asNumbers = integers !== "bigint";
  const captureErrno = definition.captureErrno === true;
  const given = (type: ResultType): GivenValue => givenValue(type, asNumbers);
  const isPlain = (type: ResultType): boolean => given(type).kind === "plain";
  if (!captureErrno && isPlain(result) && parameters.every(isPlain)) return undefined;
  const plain = copyDefinition(definition);
  const resultBuffer = definition.resultBuffer ?? "new";
  const nonblocking = definition.nonblocking === true;
  return {
    parameters: parameters.map(given),
    result: given(result),
    integers,
    resultBuffer,
    nonblocking,
    captureErrno,
    parameterCount: parameters.length + (resultBuffer === "caller" ? 1 : 0),
    plain,
    // Another thread takes longer to start than Deno to convert.
    adapter: nonblocking ? undefined : adapterOf(parameters, result, asNumbers),
    capturing: captureErrno ? capturingOf(plain) : undefined,
  };
}

const PLAIN: GivenValue = { kind: "plain" }, STRING: GivenValue = { kind: "string" };

function givenValue(type: ResultType, asNumbers: boolean): GivenValue {
  if (typeof type === "object") return { kind: "struct", size: layoutOf(type).size };
  if (type === "cstring") return STRING;
  const signed = asNumbers ? SIGNED.get(type) : undefined;
  return signed === undefined ? PLAIN : { kind: "number", signed };
}

/** A value as an adapter converts it. */
function adapterValue(type: ResultType, asNumbers: boolean): AdapterResult {
  if (typeof type === "object") return { kind: "struct", leaves: leavesOf(type) };
  const given = givenValue(type, asNumbers);
  return given.kind === "number" || given.kind === "string" ? given : { kind: "word" };
}

/** Undefined if the call needs a larger frame than adapters make, and on systems without adapters. */
function adapterOf(
  types: readonly ParameterType[],
  resultType: ResultType,
  asNumbers: boolean,
  errnoParameter = false,
): AdapterWay | undefined {
  if (ADAPTER_SYSTEM === undefined) return undefined;
  const parameters: AdapterParameter[] = [];
  const outer: Deno.NativeType[] = [];
  for (const type of types) {
    const value = adapterValue(type, asNumbers);
    parameters.push(value.kind === "word" ? { kind: "word", class: wordOf(type as string)!.kind } : value);
    outer.push(value.kind === "word" ? type as Deno.NativeType : OUTER[value.kind]);
  }
  const result = adapterValue(resultType, asNumbers);
  let outerResult: Deno.NativeResultType = "void";
  if (result.kind === "struct") outer.push(OUTER.struct);
  else outerResult = result.kind === "word" ? resultType as Deno.NativeResultType : OUTER[result.kind];
  if (errnoParameter) outer.push("buffer");
  const plan = planCall({ parameters, result, errnoParameter }, ADAPTER_SYSTEM.convention);
  return plan && { plan, definition: { parameters: outer, result: outerResult } };
}

/** A nonblocking call runs on another thread, and each has a buffer of its own. */
function capturingOf({ parameters, result, nonblocking }: Deno.ForeignFunction): AdapterWay {
  const way = adapterOf(parameters, result, false, nonblocking);
  if (way === undefined) {
    throw new LoadError(
      "Unsupported",
      "Cannot capture errno: the call needs an adapter, which cannot be made",
      {
        hint: ADAPTER_SYSTEM === undefined
          ? "leave out captureErrno: this system has no adapters"
          : "pass the largest structs by their address",
      },
    );
  }
  return { plan: way.plan, definition: { ...way.definition, nonblocking } };
}
