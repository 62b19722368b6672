/**
 * Functions that get a fast call once they have earned it: what Deno compiles
 * for one takes as long as some fifty calls by `Deno.UnsafeFnPointer`, and
 * programs bind more functions than they call often.
 */

import type { BindRequest } from "./binder.ts";
import { CallCell } from "./call_text.ts";
import type { CallFunction } from "./gate.ts";
import { pointerCall } from "./pointer.ts";

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
    if (this.cell.direct === undefined && ++this.#count === WARM) this.#warmed();
    return (this.cell.direct ?? this.#pointerCall)(...parameters);
  };
}
