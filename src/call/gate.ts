/**
 * JavaScript functions in front of native ones: each first looks whether its
 * module is still open, which costs nothing measurable, and turns a call after
 * close into an exception.
 */

import { type CallCell, callText, isTextOnStack, LONGEST_TEXT } from "./wrapper_source.ts";
import type { CallFunction } from "../os/pointer.ts";
import type { CallCounter } from "./in_flight.ts";

/** What a call checks first. One for each version of a module and isolate. */
export class CallGate {
  #open = true;
  readonly #shutters: (() => void)[] = [];

  /** Whether calls may go through. */
  get open(): boolean {
    return this.#open;
  }

  /** Calls throw from now on. */
  close(): void {
    this.#open = false;
    for (const shut of this.#shutters.splice(0)) shut();
  }

  /** Has `shut` called when the gate closes. */
  whenClosed(shut: () => void): void {
    if (this.#open) this.#shutters.push(shut);
    else shut();
  }
}

/** Who owns the functions; alive as long as any of them is. */
export interface CallOwner {
  readonly gate: CallGate;
  readonly calls: CallCounter;
  /** The error for a call of `name` through a closed gate. */
  closedError(name: string): Error;
}

/** A native function as Deno offers it, and what is known of it. */
export interface CallTarget {
  readonly name: string;
  /** Serves all calls, or those that `cell` does not. */
  readonly call: CallFunction;
  /** Undefined if V8 will never make its calls fast. */
  readonly cell?: CallCell;
  readonly parameterCount: number;
  readonly nonblocking: boolean;
}

/** One that has a cell. */
type FastTarget = CallTarget & { readonly cell: CallCell };

/** Puts the gate in front of each target. Those with cells get texts of their own. */
export function gateCalls(targets: readonly CallTarget[], owner: CallOwner): CallFunction[] {
  const functions = textFunctions(targets.filter(isFast), owner);
  const calls: CallFunction[] = [];
  let next = 0;
  for (const target of targets) {
    const { name, parameterCount, nonblocking } = target;
    if (functions !== undefined && isFast(target)) {
      calls.push(Object.defineProperty(functions[next++], "name", { value: name, configurable: true }));
      continue;
    }
    const gated = closureGate(target, owner);
    calls.push(Object.defineProperties(nonblocking ? countInFlight(gated, owner) : gated, {
      name: { value: name, configurable: true },
      length: { value: parameterCount, configurable: true },
    }));
  }
  return calls;
}

function isFast(target: CallTarget): target is FastTarget {
  return target.cell !== undefined;
}

/** So few functions get a text each: such texts are there already, most of the time. */
const FEW = 3;

/** Undefined where code from strings is forbidden. */
function textFunctions(targets: readonly FastTarget[], owner: CallOwner): CallFunction[] | undefined {
  const functions: CallFunction[] = [];
  const size = targets.length <= FEW ? 1 : LONGEST_TEXT;
  for (let start = 0; start < targets.length; start += size) {
    const some = targets.slice(start, start + size);
    const gates = some.map((target) => closureGate(target, owner));
    const text = callText(some, (index, ...parameters) => gates[index](...parameters));
    if (text === undefined) return undefined;
    owner.gate.whenClosed(text.shut);
    functions.push(...text.functions);
  }
  return functions;
}

/** How many calls of functions without a text of their own are on the stack. */
let inside = 0;

function closureGate({ call, name }: CallTarget, owner: CallOwner): CallFunction {
  const { gate } = owner;
  return (...parameters) => {
    if (!gate.open) throw owner.closedError(name);
    inside++;
    try {
      return call(...parameters);
    } finally {
      inside--;
    }
  };
}

function countInFlight(call: CallFunction, { calls }: CallOwner): CallFunction {
  return (...parameters) => {
    // Counted before it starts: whoever frees the module must not miss it.
    const end = calls.begin();
    let result: Promise<unknown>;
    try {
      result = call(...parameters) as Promise<unknown>;
    } catch (error) {
      end();
      throw error;
    }
    return result.finally(end);
  };
}

/** How many may have texts that call directly. */
let directCallers = 0;

/** Until it is disposed, texts may call directly: such calls are not counted. */
export function holdDirectCalls(): Disposable {
  directCallers++;
  return { [Symbol.dispose]: (): void => void directCallers-- };
}

/**
 * Whether native code called through a gate may be on the stack right now:
 * true inside a callback that such code has called. Counting would cost each
 * fast call; where there are any, a walk over the stack costs some twenty
 * microseconds, once a close.
 */
export function isInsideCall(): boolean {
  return inside > 0 || (directCallers > 0 && isTextOnStack());
}
