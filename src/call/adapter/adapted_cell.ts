/**
 * Calls adapters: looks at arguments before the call, and at the result after it.
 */

import { readCString } from "../../os/c_strings.ts";
import { Bytes, isSafeInteger } from "../../os/intrinsics.ts";
import { addressOfBuffer, type CallFunction } from "../../os/pointer.ts";
import { CallCell } from "../wrapper_source.ts";
import { type Adaptation, type GivenValue, NO_STRINGS } from "./adaptation.ts";
import { scratch } from "./scratch.ts";
import { type AdapterTarget, StringResult } from "./signature.ts";
import { errnoLocation } from "../../os/errno.ts";
import { exactNumber, type PortableTarget } from "./portable_call.ts";

/** The place of `errno` behind the word for integers, in bytes. */
const ERRNO_OFFSET = 8;

/** Holds the adapter's fast call, and the words and arrays that its wrapper needs. */
export class AdaptedCell extends CallCell implements PortableTarget {
  readonly adaptation: Adaptation;
  readonly name: string;
  readonly reused: Uint8Array<ArrayBuffer> | undefined;
  /** A result that was not returned, and `errno`, both of the last call. */
  readonly #words: ArrayBuffer | undefined;
  /** `errno` of the last call, which JavaScript reads right after it. */
  readonly errno: Int32Array<ArrayBuffer> | undefined;
  /** Returns the result that the adapter of the last call did not return, or throws. Called right after it. */
  readonly beyond: () => unknown;

  constructor(adaptation: Adaptation, name: string) {
    super();
    this.adaptation = adaptation;
    this.name = name;
    const { result, integers, captureErrno } = adaptation;
    this.reused = reusedArray(adaptation);
    // The words of the array are V8's, and stay at their address.
    const words = this.#words = result.kind === "number" || result.kind === "string" || captureErrno
      ? new ArrayBuffer(16)
      : undefined;
    const values = words &&
      (result.kind === "number" && result.signed ? new BigInt64Array(words) : new BigUint64Array(words));
    this.errno = captureErrno ? new Int32Array(words!, ERRNO_OFFSET, 1) : undefined;
    this.beyond = result.kind === "string"
      ? () => readCString(values![0])
      : () => exactNumber(values![0], integers, name);
  }

  /** The addresses that an adapter of this cell needs. */
  get places(): Pick<AdapterTarget, "beyond" | "errno" | "strings"> {
    const words = this.#words === undefined ? 0n : addressOfBuffer(this.#words);
    const errno = this.errno && { location: errnoLocation(), word: words + BigInt(ERRNO_OFFSET) };
    const { parameters, result } = this.adaptation;
    const hasStrings = result.kind === "string" || parameters.some(({ kind }) => kind === "string");
    const strings = hasStrings ? scratch.places : NO_STRINGS;
    return { beyond: words, errno, strings };
  }

  /**
   * A function that calls through the cell, which is filled by then, and calls `fallback` with arguments that the
   * adapter does not take. It does what the text of {@linkcode adaptedSource} does, where such texts are forbidden.
   */
  callOr(fallback: CallFunction): CallFunction {
    const { parameters, result, resultBuffer } = this.adaptation;
    const captured = (result: unknown): unknown =>
      this.errno === undefined ? result : { result, errno: this.errno[0] };
    const call: CallFunction = (...given) => {
      if (!parameters.every((parameter, index) => takes(given[index], parameter))) return fallback(...given);
      let target: unknown = this.reused;
      if (result.kind === "struct") {
        if (resultBuffer === "new") target = new Bytes(result.size);
        else if (resultBuffer === "caller") target = given[parameters.length];
        if (!(target instanceof Bytes) || target.byteLength < result.size) return fallback(...given);
      }
      const values: unknown[] = [];
      for (let index = 0; index < parameters.length; index++) {
        values[index] = parameters[index].kind === "string" ? scratch.push(given[index]) : given[index];
        if (values[index] === -1 && parameters[index].kind === "string") return fallback(...given);
      }
      if (result.kind === "plain") return captured(this.direct!(...values));
      if (result.kind === "struct") {
        this.direct!(...values, target);
        return captured(target);
      }
      const number = this.direct!(...values) as number;
      if (result.kind === "string") return captured(stringOf(number, this));
      return captured(number === number ? number : this.beyond());
    };
    if (parameters.every(({ kind }) => kind !== "string")) return call;
    return (...given) => {
      const { top } = scratch;
      try {
        return call(...given);
      } finally {
        scratch.top = top;
      }
    };
  }
}

/** The string that an adapter has returned. */
function stringOf(length: number, cell: AdaptedCell): unknown {
  return length >= 0 ? scratch.text(length) : length === StringResult.NULL ? null : cell.beyond();
}

/** The array of results, where they share one. */
export function reusedArray({ result, resultBuffer }: Adaptation): Uint8Array<ArrayBuffer> | undefined {
  return result.kind === "struct" && resultBuffer === "reused" ? new Bytes(result.size) : undefined;
}

/** Whether an adapter takes an argument. */
function takes(value: unknown, parameter: GivenValue): boolean {
  if (parameter.kind === "number") return isSafeInteger(value) && (parameter.signed || value as number >= 0);
  return parameter.kind === "plain" || parameter.kind === "string" ||
    (value as Partial<ArrayBufferView> | null | undefined)?.byteLength! >= parameter.size;
}
