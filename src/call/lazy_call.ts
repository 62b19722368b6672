/**
 * Functions that get a fast call after a warm-up: compiling one takes Deno as
 * long as some fifty calls by `Deno.UnsafeFnPointer`, and programs bind more
 * functions than they call often.
 */

import { LoadError } from "../errors/load_error.ts";
import type { FastRequest } from "./adapter/adapted_targets.ts";
import { CallCell } from "./wrapper_source.ts";
import type { CallFunction } from "../os/pointer.ts";

/** The number of the call at which a function asks for a fast one. */
export const WARM_UP_CALLS = 8;
/**
 * The number of calls after which a function shares the stub library that
 * another one asks for: a library for many costs less than one each.
 */
const SHARING_CALLS = WARM_UP_CALLS / 4;

/** A function that is called by its address first, and by its cell once that has a fast call. */
export class LazyCall {
  readonly request: FastRequest;
  readonly cell: CallCell;
  readonly #pointerCall: CallFunction;
  /** Calls through the cell once it is filled. */
  readonly #fastCall: CallFunction;
  readonly #warmedUp: () => void;
  #count = 0;

  /**
   * @param pointerCall Calls the function by its address.
   * @param warmedUp Runs once, at the warm-up's last call; may fill the cell; must not throw.
   */
  constructor(request: FastRequest, pointerCall: CallFunction, warmedUp: () => void) {
    this.request = request;
    this.#pointerCall = pointerCall;
    this.#warmedUp = warmedUp;
    const { adapted } = request;
    const cell = this.cell = adapted ?? new CallCell();
    this.#fastCall = adapted?.callOr(pointerCall) ?? ((...parameters) => cell.direct!(...parameters));
  }

  /** Whether the function was called often enough to share a library that another one asks for. */
  get isWorthSharing(): boolean {
    return this.#count >= SHARING_CALLS;
  }

  /** Calls the function, by the fast call if there is one. */
  readonly call: CallFunction = (...parameters) => {
    const { cell } = this;
    if (cell.direct === undefined && ++this.#count === WARM_UP_CALLS) this.#warmedUp();
    if (cell.direct !== undefined) return this.#fastCall(...parameters);
    try {
      return this.#pointerCall(...parameters);
    } catch (error) {
      throw error instanceof Deno.errors.NotCapable ? this.#explain(error) : error;
    }
  };

  /**
   * Deno checks the permission in each call by address. An error that comes out
   * of a callback of the function stays as it is.
   */
  #explain(cause: Error): Error {
    if (Deno.permissions.querySync({ name: "ffi" }).state === "granted") return cause;
    return new LoadError("PermissionDenied", "Cannot call function: --allow-ffi is revoked", {
      symbol: this.request.name,
      hint: 'bind the function with callPath "fast" before --allow-ffi is revoked',
    }, { cause });
  }
}
