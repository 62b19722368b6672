/**
 * Wraps native functions in JavaScript ones that first check whether their
 * module is still open. The check costs nothing measurable, and turns a call
 * after close into an exception.
 */

import { behindFunction } from "../errors/edge.ts";
import type { CallGuards } from "./guard.ts";
import { finallyCall } from "../os/intrinsics.ts";
import { hold } from "./held_arguments.ts";
import { mayWrapperBeOnStack } from "./stack_walk.ts";
import { type CallCell, compileWrappers, MAX_WRAPPERS, type WrapperTarget } from "./wrapper_source.ts";
import type { CallFunction } from "../os/pointer.ts";
import type { CallCounter } from "./in_flight.ts";

/** Decides whether calls may enter native code: one gate for each version of a module and isolate. */
export class CallGate {
  #open = true;
  readonly #listeners: (() => void)[] = [];

  /** Whether calls may go through. */
  get open(): boolean {
    return this.#open;
  }

  /** Makes calls throw from now on. */
  close(): void {
    this.#open = false;
    // By index: a program can replace the methods of arrays, and every wrapper must close.
    const listeners = this.#listeners;
    for (let index = 0; index < listeners.length; index++) listeners[index]();
    listeners.length = 0;
  }

  /** Calls `listener` when the gate closes; at once if it is closed. */
  whenClosed(listener: () => void): void {
    if (this.#open) this.#listeners.push(listener);
    else listener();
  }
}

/** The owner of bound functions, which keep it alive. */
export interface CallOwner {
  readonly gate: CallGate;
  readonly calls: CallCounter;
  /** The error for a call of `name` through a closed gate. */
  closedError(name: string): Error;
}

/** A native function as Deno makes it callable, and the facts that its wrapper depends on. */
export interface CallTarget {
  readonly name: string;
  /** Serves all calls, or those that `cell` does not serve. */
  readonly call: CallFunction;
  /** Undefined if V8 will never make the function's calls fast. */
  readonly cell?: CallCell;
  readonly parameterCount: number;
  readonly nonblocking: boolean;
  /** The source text of the call through the cell; {@linkcode WrapperTarget.source}. */
  readonly source?: WrapperTarget["source"];
}

/** A target whose calls can become fast. */
type FastTarget = CallTarget & { readonly cell: CallCell };

/**
 * Wraps each target in a function that checks the owner's gate. Fast targets get wrappers with a source text of their
 * own.
 *
 * @param guards Says how synchronous calls have ended, if the targets are behind guards.
 */
export function wrapCalls(
  targets: readonly CallTarget[],
  owner: CallOwner,
  guards?: CallGuards,
): CallFunction[] {
  const compiled = compiledWrappers(targets.filter(isFast), owner, guards);
  const calls: CallFunction[] = [];
  let next = 0;
  for (const target of targets) {
    const { name, parameterCount, nonblocking } = target;
    if (compiled !== undefined && isFast(target)) {
      calls.push(Object.defineProperty(compiled[next++], "name", { value: name, configurable: true }));
      continue;
    }
    const edge: Edge = {};
    const wrapper = closureWrapper(target, owner, nonblocking ? undefined : guards, edge);
    edge.function = Object.defineProperties(nonblocking ? countInFlight(wrapper, owner) : wrapper, {
      name: { value: name, configurable: true },
      length: { value: parameterCount, configurable: true },
    });
    calls.push(edge.function);
  }
  return calls;
}

function isFast(target: CallTarget): target is FastTarget {
  return target.cell !== undefined;
}

/** Up to this number, functions get one source text each: those are compiled already, most of the time. */
const MAX_SINGLE = 3;

/** Undefined where code from strings is forbidden. */
function compiledWrappers(
  targets: readonly FastTarget[],
  owner: CallOwner,
  guards: CallGuards | undefined,
): CallFunction[] | undefined {
  const functions: CallFunction[] = [];
  const size = targets.length <= MAX_SINGLE ? 1 : MAX_WRAPPERS;
  for (let start = 0; start < targets.length; start += size) {
    const some = targets.slice(start, start + size);
    const edges: readonly Edge[] = some.map(() => ({}));
    const closures = some.map((target, index) => closureWrapper(target, owner, guards, edges[index]));
    const wrappers = compileWrappers(
      some,
      (index, ...parameters) => closures[index](...parameters),
      guards && {
        state: guards.state,
        failed: (index) => {
          throw atCaller(guards.takeError(some[index].name), edges[index]);
        },
      },
    );
    if (wrappers === undefined) return undefined;
    owner.gate.whenClosed(wrappers.close);
    wrappers.functions.forEach((each, index) => edges[index].function = each);
    functions.push(...wrappers.functions);
  }
  return functions;
}

/** The function that the user calls, once it is made. */
interface Edge {
  function?: CallFunction;
}

/** Makes an error begin its stack with the user's call. */
function atCaller(error: Error, edge: Edge): Error {
  return edge.function === undefined ? error : behindFunction(error, edge.function);
}

/** The number of calls through closures on the stack. */
let closureDepth = 0;

function closureWrapper(
  { call: unguarded, name }: CallTarget,
  owner: CallOwner,
  guards: CallGuards | undefined,
  edge: Edge,
): CallFunction {
  const { gate } = owner;
  const call = guards === undefined ? unguarded : guardedCall(unguarded, name, guards, edge);
  return (...parameters) => {
    if (!gate.open) throw atCaller(owner.closedError(name), edge);
    closureDepth++;
    try {
      return call(...parameters);
    } finally {
      closureDepth--;
    }
  };
}

function guardedCall(call: CallFunction, name: string, guards: CallGuards, edge: Edge): CallFunction {
  const { state } = guards;
  return (...parameters) => {
    const result = call(...parameters);
    if (state[0] !== 0) throw atCaller(guards.takeError(name), edge);
    return result;
  };
}

function countInFlight(call: CallFunction, { calls }: CallOwner): CallFunction {
  return (...parameters) => {
    // Counted before it starts: freeing the module must not miss the call.
    const returned = calls.begin(), release = hold(parameters);
    const end = (): void => {
      release();
      returned();
    };
    let result: Promise<unknown>;
    try {
      result = call(...parameters) as Promise<unknown>;
    } catch (error) {
      end();
      throw error;
    }
    return finallyCall(result, end);
  };
}

/** The number of holders for whom compiled wrappers may call directly. */
let directCallHolders = 0;

/** Allows compiled wrappers to make direct calls, which are not counted, until disposed. */
export function holdDirectCalls(): Disposable {
  directCallHolders++;
  return { [Symbol.dispose]: (): void => void directCallHolders-- };
}

/**
 * Whether native code that was called through a wrapper may be on the stack
 * right now: true inside a callback that such code has called. Counting would
 * cost each fast call; where there are any, a walk over the stack costs some
 * twenty microseconds, once a close.
 */
export function isInsideCall(): boolean {
  return closureDepth > 0 || (directCallHolders > 0 && mayWrapperBeOnStack());
}
