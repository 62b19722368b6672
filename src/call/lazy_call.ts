/**
 * Functions that get a fast call once they have earned it: what Deno compiles
 * for one takes as long as some fifty calls by `Deno.UnsafeFnPointer`, and
 * programs bind more functions than they call often.
 */

import { LoadError } from "../errors.ts";
import { CallCell } from "./wrapper_source.ts";
import { type CallFunction, pointerCall } from "../os/pointer.ts";
import type { BindRequest } from "./path.ts";

/** The call at which a function gets a fast one. */
export const WARM = 8;
/** Calls after which it goes along when another function gets one: a library for many costs less than one each. */
const LUKEWARM = WARM / 4;

/** One such function. */
export class LazyCall {
  readonly request: BindRequest;
  readonly cell = new CallCell();
  readonly #pointerCall: CallFunction;
  readonly #warmed: () => void;
  #count = 0;

  /** @param warmed May give the cell its fast call; must not throw. */
  constructor({ name, address, definition }: BindRequest, warmed: () => void) {
    // What the caller does to the definition afterwards changes nothing.
    const { result } = definition;
    this.request = { name, address, definition: { parameters: [...definition.parameters], result } };
    this.#pointerCall = pointerCall(address, this.request.definition);
    this.#warmed = warmed;
  }

  /** Whether it was called often enough to go along. */
  get isWarm(): boolean {
    return this.#count >= LUKEWARM;
  }

  /** Calls the function, by whatever there is. */
  readonly call: CallFunction = (...parameters) => {
    const { cell } = this;
    if (cell.direct === undefined && ++this.#count === WARM) this.#warmed();
    if (cell.direct !== undefined) return cell.direct(...parameters);
    try {
      return this.#pointerCall(...parameters);
    } catch (error) {
      throw error instanceof Deno.errors.NotCapable ? this.#refused(error) : error;
    }
  };

  /** Deno looks at the permission in each such call; what lacks one may also be a callback of the function. */
  #refused(cause: Error): Error {
    if (Deno.permissions.querySync({ name: "ffi" }).state === "granted") return cause;
    const { name } = this.request;
    return new LoadError(
      "PermissionDenied",
      `Cannot call '${name}': --allow-ffi was revoked, which only functions of callPath 'fast' outlive`,
      { symbol: name },
      { cause },
    );
  }
}
