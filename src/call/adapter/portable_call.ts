/**
 * Calls that convert values in JavaScript as adapters do, on every system and by every call path.
 */

import { asInt64, asUint64, isSafeInteger } from "../../os/intrinsics.ts";
import { describeValue } from "../../errors/options.ts";
import { cString, textAt } from "../../os/c_strings.ts";
import type { CallFunction } from "../../os/pointer.ts";
import type { Adaptation, GivenValue } from "./adaptation.ts";
import type { ErrnoResult, Integers } from "../function_definition.ts";
import { whileHeld } from "../held_arguments.ts";
import { MOST_EXACT } from "./signature.ts";

/** A function whose values are converted. */
export interface PortableTarget {
  readonly name: string;
  readonly adaptation: Adaptation;
  /** The array of results, where they share one. */
  readonly reused: Uint8Array<ArrayBuffer> | undefined;
}

/**
 * A function that converts values and calls another one, which takes and returns them as Deno does.
 *
 * @param plain Calls the function itself, by {@linkcode Adaptation.plain}; {@linkcode capturingCall} makes it if
 * `errno` is captured.
 */
export function portableCall(
  plain: CallFunction,
  { adaptation, name, reused }: PortableTarget,
): CallFunction {
  const { parameters, nonblocking, resultBuffer, captureErrno } = adaptation;
  const convertResult = finisher(adaptation, name);
  const finish = captureErrno
    ? ({ result, errno }: ErrnoResult<unknown>, target: unknown) => ({
      result: convertResult(result, target),
      errno,
    })
    : convertResult as (value: never, target: unknown) => unknown;
  const hasStrings = parameters.some(({ kind }) => kind === "string");
  return (...given) => {
    const values: unknown[] = [];
    for (let index = 0; index < parameters.length; index++) {
      values[index] = convert(given[index], parameters[index], adaptation.integers, name, index);
    }
    let target: unknown = reused;
    if (resultBuffer === "caller") requireBytes(target = given[parameters.length], adaptation, name);
    const call = (): unknown => {
      const result = plain(...values);
      return nonblocking
        ? (result as Promise<never>).then((value) => finish(value, target))
        : finish(result as never, target);
    };
    return hasStrings ? whileHeld(values, nonblocking, call) : call();
  };
}

/**
 * A function that takes and returns values as Deno does, and returns `errno` beside them.
 *
 * @param call Calls the adapter of {@linkcode Adaptation.capturing}.
 * @param word The `errno` of the last call that is not nonblocking.
 */
export function capturingCall(
  call: CallFunction,
  { result, nonblocking }: Adaptation,
  word: Int32Array | undefined,
): CallFunction {
  return (...values) => {
    const target = result.kind === "struct" ? new Uint8Array(result.size) : undefined;
    const errno = word ?? new Int32Array(1);
    const given: unknown[] = target === undefined ? values : [...values, target];
    const returned = call(...given, ...(nonblocking ? [errno] : []));
    const finish = (value: unknown): ErrnoResult<unknown> => ({ result: target ?? value, errno: errno[0] });
    return nonblocking ? (returned as Promise<unknown>).then(finish) : finish(returned);
  };
}

/** Converts results; `target` is the caller's array. */
function finisher(
  { result, integers, resultBuffer }: Adaptation,
  name: string,
): (value: unknown, target: unknown) => unknown {
  if (result.kind === "number") return (value) => exactNumber(value as bigint, integers, name);
  if (result.kind === "string") return (value) => textAt(value as Deno.PointerValue);
  if (result.kind === "plain" || resultBuffer === "new") return (value) => value;
  return (value, target) => {
    (target as Uint8Array).set(value as Uint8Array);
    return target;
  };
}

/** The length of an array, or of an array's memory, in bytes; undefined for other values. */
function byteLengthOf(value: unknown): number | undefined {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer
    ? value.byteLength
    : undefined;
}

function convert(
  value: unknown,
  parameter: GivenValue,
  integers: Integers,
  name: string,
  index: number,
): unknown {
  if (parameter.kind === "plain") return value;
  const refuse = (problem: string) =>
    new RangeError(`Cannot call '${name}': parameter ${index + 1} ${problem}`);
  if (parameter.kind === "struct") {
    const length = byteLengthOf(value);
    if (length !== undefined && length < parameter.size) {
      throw refuse(`has ${length} bytes, the struct has ${parameter.size}`);
    }
    return value;
  }
  if (parameter.kind === "string") {
    if (value === null) return null;
    if (typeof value !== "string") {
      throw new TypeError(
        `Cannot call '${name}': parameter ${index + 1} is ${describeValue(value)}, not a string or null`,
      );
    }
    const nul = value.indexOf("\0");
    if (nul >= 0) throw refuse(`has a NUL at ${nul}, where C would end it`);
    return cString(value);
  }
  const { signed } = parameter;
  if (typeof value === "number") {
    if (!isSafeInteger(value)) throw refuse(`is ${value}, not an integer that a number holds exactly`);
    if (!signed && value < 0) throw refuse(`is ${value}, which an unsigned integer cannot be`);
    // Deno does not take −0.
    return BigInt(value);
  }
  if (typeof value !== "bigint" || integers === "number") {
    const wanted = integers === "number" ? "a number" : "a number or a bigint";
    throw new TypeError(
      `Cannot call '${name}': parameter ${index + 1} is ${describeValue(value)}, not ${wanted}`,
    );
  }
  if ((signed ? asInt64(value) : asUint64(value)) !== value) throw refuse(`is ${value}, beyond 64 bits`);
  return value;
}

function requireBytes(target: unknown, { parameters, result }: Adaptation, name: string): void {
  const size = result.kind === "struct" ? result.size : 0;
  const length = target instanceof Uint8Array ? byteLengthOf(target) : undefined;
  const place = `Cannot call '${name}': parameter ${parameters.length + 1}, the array of the result,`;
  if (length === undefined) throw new TypeError(`${place} is ${describeValue(target)}, not a Uint8Array`);
  if (length < size) throw new RangeError(`${place} has ${length} bytes, the struct has ${size}`);
}

/**
 * A result of 64 bits as a number; one that a number does not hold exactly stays a bigint, or throws, as `integers`
 * says.
 */
export function exactNumber(value: bigint, integers: Integers, name: string): number | bigint {
  if (value <= MOST_EXACT && value >= -MOST_EXACT) return Number(value);
  if (integers === "number-or-bigint") return value;
  throw new RangeError(
    `Cannot return the result of '${name}' as a number: it is ${value}, which no number holds exactly`,
    { cause: value },
  );
}
