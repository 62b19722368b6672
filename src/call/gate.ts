/**
 * JavaScript functions in front of native ones: each first looks whether its
 * module is still open, which costs nothing measurable, and turns a call after
 * close into an exception.
 */

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
  readonly call: (...parameters: never[]) => unknown;
  readonly parameterCount: number;
  readonly nonblocking: boolean;
}

/** The mark in a stack trace of a function made here. */
const SOURCE_NAME = "smf-call:";
let sourceCount = 0;

/**
 * Puts the gate in front of each target.
 *
 * V8 keeps a fast call only at a call site that has seen one target. Each
 * function therefore gets a source text of its own: its call site inside never
 * sees another target, however mixed the callers are.
 *
 * What the functions look at is a variable of that text, not a property of the
 * gate: V8 takes a variable that was never assigned for a constant and compiles
 * no check at all; closing throws the compiled code away. A property is such a
 * constant only until the first object of its shape, the gate of any other
 * module, has changed.
 */
export function gateCalls(targets: readonly CallTarget[], owner: CallOwner): CallFunction[] {
  const calls = front(targets, owner);
  return targets.map((target, index) => {
    const call = target.nonblocking ? countInFlight(calls[index], target, owner) : calls[index];
    return Object.defineProperty(call, "name", { value: target.name, configurable: true });
  });
}

/** A callable of unknown type; its definition gave it one already. */
// deno-lint-ignore no-explicit-any
export type CallFunction = (...parameters: any[]) => unknown;

/**
 * What a text evaluates to. `shut` sees nothing but the variable: the gate,
 * which keeps it, must not lead to the functions and their owner.
 */
interface Text {
  shut(): void;
  make(calls: readonly CallFunction[], owner: CallOwner): CallFunction[];
}

function front(targets: readonly CallTarget[], owner: CallOwner): CallFunction[] {
  const calls = targets.map(({ call }) => call as CallFunction);
  const text = compile(targets);
  if (text === undefined) return calls.map((call, index) => closureGate(call, targets[index].name, owner));
  owner.gate.whenClosed(text.shut);
  return text.make(calls, owner);
}

function compile(targets: readonly CallTarget[]): Text | undefined {
  const declarations = targets.map((_, index) => `const call${index} = calls[${index}];`).join("\n");
  const functions = targets.map(({ name, parameterCount }, index) => {
    const parameters = Array.from({ length: parameterCount }, (_, position) => `p${position}`).join(", ");
    return `(${parameters}) => {
  if (!open) throw owner.closedError(${JSON.stringify(name)});
  return call${index}(${parameters});
}`;
  }).join(",\n");
  const body = `"use strict";
let open = true;
return {
shut() { open = false; },
make(calls, owner) {
${declarations}
return [${functions}];
} };
//# sourceURL=${SOURCE_NAME}${++sourceCount}`;
  try {
    return new Function(body)() as Text;
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return undefined;
  }
}

/** For hosts that forbid code from strings; its stack frames are found by this file's name. */
function closureGate(call: CallFunction, name: string, owner: CallOwner): CallFunction {
  const { gate } = owner;
  return (...parameters) => {
    if (!gate.open) throw owner.closedError(name);
    return call(...parameters);
  };
}

function countInFlight(
  call: CallFunction,
  { parameterCount }: CallTarget,
  { calls }: CallOwner,
): CallFunction {
  const counted: CallFunction = (...parameters) => {
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
  return Object.defineProperty(counted, "length", { value: parameterCount, configurable: true });
}

/** V8's own view of a stack frame, of which Deno has no type. */
interface StackFrame {
  getScriptNameOrSourceURL(): string | null | undefined;
}

/** The parts of `Error` that are V8's own. */
const StackTrace = Error as ErrorConstructor & {
  prepareStackTrace?: (error: Error, frames: readonly StackFrame[]) => unknown;
};

/**
 * Whether native code called through a gate may be on the stack right now:
 * true inside a callback that such code has called. A walk over the stack costs
 * some microseconds, once a close; counting calls would cost every call.
 */
export function isInsideCall(): boolean {
  const { stackTraceLimit, prepareStackTrace } = StackTrace;
  let found = false;
  StackTrace.stackTraceLimit = Infinity;
  // Called with the frames themselves, this spares formatting them.
  StackTrace.prepareStackTrace = (_, frames) => {
    found = frames.some((frame) => isGate(frame.getScriptNameOrSourceURL() ?? ""));
  };
  try {
    const trace: { stack?: unknown } = {};
    StackTrace.captureStackTrace(trace, isInsideCall);
    void trace.stack;
  } finally {
    StackTrace.stackTraceLimit = stackTraceLimit;
    StackTrace.prepareStackTrace = prepareStackTrace;
  }
  return found;
}

function isGate(source: string): boolean {
  return source.startsWith(SOURCE_NAME) || source === import.meta.url;
}
